"""Answers, and what they share: headers, and one answer for each set of problems that calls have in common."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from apispec import APISpec

from api_service.documented import Answer, Header
from api_service.problem_kinds import ProblemKind
from service_kit.problems import PROBLEM_JSON

JSON: Final = "application/json"

_REQUEST_ID: Final = Header(
    "X-Request-ID", "Names this call in the logs of both services", {"type": "string", "pattern": "^[0-9a-f]{32}$"}
)
_CHALLENGE: Final = Header("WWW-Authenticate", "The scheme that lets you in", {"const": "Bearer"})
_RETRY_AFTER: Final = Header(
    "Retry-After", "Whole seconds after which to try again", {"type": "integer", "minimum": 0}
)
_OF_STATUS: Final = {
    HTTPStatus.UNAUTHORIZED: (_CHALLENGE,),
    HTTPStatus.TOO_MANY_REQUESTS: (_RETRY_AFTER,),
    HTTPStatus.SERVICE_UNAVAILABLE: (_RETRY_AFTER,),
}


class TwoHeadersOfOneNameError(Exception):
    """Two calls describe one header in two ways."""


class Components:
    """Adds to the components of `spec` what the answers refer to, each once."""

    def __init__(self, spec: APISpec) -> None:
        self._components = spec.components
        self._headers: dict[str, Header] = {}

    def answer(self, answer: Answer) -> dict[str, Any]:
        """One that is no problem."""
        described: dict[str, Any] = {
            "description": answer.description,
            "headers": self._header_refs([_REQUEST_ID, *answer.headers]),
        }
        content: dict[str, Any] = {}
        if answer.body:
            content[JSON] = {"schema": answer.body}
            if answer.example is not None:
                content[JSON]["example"] = answer.example
        content |= {media: {"schema": dict(schema)} for media, schema in answer.other_media.items()}
        return described | ({"content": content} if content else {})

    def problem_answer(self, status: HTTPStatus, kinds: Sequence[ProblemKind]) -> dict[str, Any]:
        """A reference to the answer with that `status` that may be any of `kinds`; its name is their slugs."""
        name = ".".join(kind.slug for kind in kinds)
        if name not in self._components.responses:
            self._components.response(name, self._problem_answer(status, kinds))
        return {"$ref": f"#/components/responses/{name}"}

    def _problem_answer(self, status: HTTPStatus, kinds: Sequence[ProblemKind]) -> dict[str, Any]:
        narrowed = {"type": {"enum": [kind.type for kind in kinds]}, "status": {"const": int(status)}}
        schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": narrowed}]}
        return {
            "description": _when(kinds),
            "headers": self._header_refs([_REQUEST_ID, *_OF_STATUS.get(status, ())]),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }

    def _header_refs(self, headers: Iterable[Header]) -> dict[str, Any]:
        return {header.name: self._header_ref(header) for header in headers}

    def _header_ref(self, header: Header) -> dict[str, str]:
        if header.name not in self._headers:
            described = {"description": header.description, "required": header.always, "schema": dict(header.schema)}
            self._components.header(header.name, described)
        if self._headers.setdefault(header.name, header) != header:
            raise TwoHeadersOfOneNameError(header.name)
        return {"$ref": f"#/components/headers/{header.name}"}


def _when(kinds: Sequence[ProblemKind]) -> str:
    """One line, or a list in Markdown."""
    if len(kinds) == 1:
        return kinds[0].when[0].upper() + kinds[0].when[1:]
    return "\n".join(f"* `{kind.slug}`: {kind.when}" for kind in kinds)
