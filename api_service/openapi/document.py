"""Puts the document together: what stands above the calls, the calls by their routes, and what they share."""

import re
from collections.abc import Iterator
from typing import Any, Final

from apispec import APISpec
from flask import Flask
from werkzeug.routing import Rule

from api_service.auth.helpers import guard_of
from api_service.auth.tokens import REFRESH_COOKIE
from api_service.documented import Call, Tag, call_of
from api_service.openapi.bodies import PROBLEM, marshmallow_plugin
from api_service.openapi.components import Components
from api_service.openapi.operations import operation_of
from api_service.openapi.problems import problems_of

VERSION: Final = "0.1.0"
"""Of the API; a test compares it with pyproject.toml, which the images do not have."""

_PREFIXES: Final = ("/api/", "/healthz")
"""Below them is the API; what else is served is for people, and left out."""

_DESCRIPTION: Final = """\
Quotes of stocks for registered users. Log in, then send `Authorization: Bearer <token>` with every call that needs it;
`/refresh` alone takes the refresh token so. The calls below `/session` are for web pages of this service: there the
browser keeps the refresh token, in a cookie that counts nowhere else.

Every answer is JSON, unless another type is named; every error is a problem document (RFC 9457). Every answer carries
`X-Request-ID`, and the headers `Cache-Control`, `Content-Security-Policy`, `Cross-Origin-Resource-Policy`,
`Referrer-Policy` and `X-Content-Type-Options`; `Strict-Transport-Security` over https. Query parameters that a call
does not know are ignored. A request line is at most 2,048 bytes long (else 414) and has at most 50 headers (else 431),
a body is at most 16 KiB. Anywhere else there is 404 `/problems/not-found`, and another method than those below is
answered 405 `/problems/method-not-allowed` with `Allow`.
"""

_SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "refreshToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `refresh_token` of a log-in or refresh",
    },
    "sessionCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": REFRESH_COOKIE,
        "description": "Of `POST /api/v1/session`",
    },
}


class UndescribedCallError(Exception):
    """A call of the API has no `@documented`."""


def document_of(app: Flask) -> dict[str, Any]:
    """The document as JSON values, the same for the same code: from the routes of `app`, in their order.

    :raises UndescribedCallError: a view has no description.
    :raises KeyError: a description names a problem that `problem_kinds` does not have.
    """
    spec = APISpec(
        "Stock quotes",
        VERSION,
        "3.1.0",
        plugins=[marshmallow_plugin()],
        info={"description": _DESCRIPTION},
        servers=[{"url": "/"}],
        security=[{"bearer": []}],
        tags=[{"name": tag.value} for tag in Tag],
    )
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("Problem", PROBLEM)
    components = Components(spec)
    for rule, call in described_rules(app):
        guard = guard_of(app.view_functions[rule.endpoint])
        kinds = problems_of(call, guard, rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            spec.path(_path(rule), operations={method.lower(): operation_of(call, guard, kinds, components)})
    return _in_order(spec.to_dict())


def described_rules(app: Flask) -> Iterator[tuple[Rule, Call]]:
    """The routes of the API, in the order in which they were added, each with what is said of it.

    :raises UndescribedCallError: nothing is said.
    """
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(_PREFIXES):
            call = call_of(app.view_functions[rule.endpoint])
            if call is None:
                raise UndescribedCallError(f"{rule.rule} ({rule.endpoint}) needs @documented.")
            yield rule, call


def _path(rule: Rule) -> str:
    """As OpenAPI writes it: `/users/{user_id}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """What a reader wants first comes first; what calls share is sorted by name."""
    shared = document["components"]
    parts = {kind: dict(sorted(shared[kind].items())) for kind in sorted(shared)}
    first = {name: document[name] for name in ("openapi", "info", "servers", "security", "tags", "paths")}
    return first | {"components": parts}
