"""GET /api/v1/openapi.json: this document, made from the code when it is first asked for."""

import hashlib
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, current_app, json, request

from api_service.documented import Answer, Call, Header, Parameter, Tag, documented

blueprint = Blueprint("openapi", __name__)
_EXTENSION: Final = "openapi_document"
_ETAG: Final = Header("ETag", "Changes with the document", {"type": "string", "pattern": '^"[0-9a-f]{64}"$'})
_IF_NONE_MATCH: Final = Parameter(
    "If-None-Match",
    "The `ETag` of the document that the caller has.",
    {"type": "string"},
    place="header",
    refused_as=None,
)


@blueprint.get("/openapi.json")
@documented(
    Call(
        "openapi",
        "This document",
        Tag.SERVICE,
        (
            Answer(
                "OpenAPI 3.1",
                {"type": "object", "required": ["openapi", "paths"]},
                headers=(_ETAG,),
                example={"openapi": "3.1.0", "paths": {}},
            ),
            Answer("It is the one that the caller has", headers=(_ETAG,), status=HTTPStatus.NOT_MODIFIED),
        ),
        (_IF_NONE_MATCH,),
        asks_database=False,
    )
)
def openapi() -> Response:
    """Whoever keeps it asks each time whether it is still the one: it changes with a release and at no known hour."""
    text, etag = _document()
    answer = Response(text, content_type="application/json", headers={"Cache-Control": "no-cache"})
    answer.set_etag(etag)
    answer.make_conditional(request)
    return answer


def _document() -> tuple[str, str]:
    """The document and its hash, made once: two requests that come at the same time make the same."""
    made: tuple[str, str] | None = current_app.extensions.get(_EXTENSION)
    if made is None:
        from api_service.openapi import document_of  # its libraries are for those who ask for the document

        text = json.dumps(document_of(current_app))
        made = current_app.extensions[_EXTENSION] = text, hashlib.sha256(text.encode()).hexdigest()
    return made
