"""The security headers of every answer, as the OWASP REST cheat sheet lists them.

https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import Flask, Response, request

ALWAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",  # answers are personal: nobody keeps one that does not say so
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",  # answers are data: no browser guesses another type
    }
)
"""An answer that sets one of them itself keeps its own."""

_STRICT_TRANSPORT: Final = "max-age=31536000"
"""Seconds: a year. Only over https: elsewhere browsers ignore it (https://www.rfc-editor.org/rfc/rfc6797#section-7.2)."""


def init_app(app: Flask) -> None:
    app.after_request(_add)


def _add(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
    return response
