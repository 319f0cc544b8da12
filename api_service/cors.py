"""CORS: web pages of the listed origins, and no others, may read the answers (https://fetch.spec.whatwg.org/#http-cors-protocol).

Tokens travel in a header that a page sets itself, so credentials, which are cookies, stay forbidden.
"""

from collections.abc import Sequence
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

_ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Request-ID"
_EXPOSED_HEADERS: Final = (
    "Age, Content-Disposition, Idempotent-Replayed, Link, Location, Quote-As-Of, Quote-Source, Quote-Stale,"
    " Retry-After, X-Request-ID, X-Total-Count"
)
_PREFLIGHT_SECONDS: Final = "600"


def init_app(app: Flask, origins: Sequence[str]) -> None:
    """Answer preflights of `origins` and name the one that asked; without any, nothing is changed."""
    if not origins:
        return
    listed = frozenset(origins)

    def answer_preflight() -> Response | None:
        allowed = _methods_of_path()
        if not allowed or request.origin not in listed or "Access-Control-Request-Method" not in request.headers:
            return None
        headers = {
            "Access-Control-Allow-Methods": allowed,
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }
        return Response(status=204, headers=headers)

    def name_origin(response: Response) -> Response:
        response.vary.add("Origin")  # also where none is named: a cache must not give that answer to a listed one
        if request.origin in listed:
            response.headers["Access-Control-Allow-Origin"] = request.origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    app.before_request(answer_preflight)
    app.after_request(name_origin)


def _methods_of_path() -> str:
    """The methods of the path that an OPTIONS asks about; empty for every other request, and for an unknown path."""
    error = request.routing_exception
    if request.method != "OPTIONS" or not isinstance(error, MethodNotAllowed):
        return ""
    return ", ".join(sorted(error.valid_methods or ()))
