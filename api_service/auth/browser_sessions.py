"""The session of a browser: its refresh token is an HttpOnly cookie, so that no script of a page can read or leak it.

A browser sends cookies by itself, also for a page that wants to abuse them. So the cookie counts in the few calls that
ask for it here, for requests of our own pages, and together with a header that only who can read our other cookie can
send (https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

import hmac
import secrets
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError, PyJWTError

from api_service import sessions
from api_service.auth import tokens
from api_service.auth.tokens import REFRESH_COOKIE, TokenPair
from api_service.documented import Parameter
from api_service.sessions import SessionToken
from service_kit.problems import Problem

CSRF_COOKIE: Final = "stock_quotes_csrf"
"""For the page's script to read, and to send in `CSRF_HEADER`."""

CSRF_HEADER: Final = "X-CSRF-Token"

ORIGIN: Final = Parameter(
    "Origin",
    "The page that asks, as its browser says; one of another origin is refused.",
    {"type": "string"},
    place="header",
    refused_as="cross-origin",
)
CSRF: Final = Parameter(
    CSRF_HEADER,
    f"What the cookie `{CSRF_COOKIE}` has now; needed together with a session.",
    {"type": "string"},
    place="header",
    refused_as="csrf-mismatch",
)

_CSRF_BYTES: Final = 32
_PATH: Final = "/api/v1/session"
_PLACES: Final[dict[str, dict[str, Any]]] = {
    REFRESH_COOKIE: {"path": _PATH, "httponly": True},
    CSRF_COOKIE: {"path": "/", "httponly": False},
}


def require_own_page() -> None:
    """Refuse a request that a page of somebody else sends; who is no browser names no page.

    `Sec-Fetch-Site` is there over https and on localhost, `Origin` everywhere. A page that may not name itself in
    `Referer` sends `null` where it does not use CORS.

    :raises Problem: 403.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = origin is None or _is_own(origin) or (origin == "null" and site == "same-origin")
    if not ours or site not in (None, "same-origin", "none"):
        detail = "This call is for pages of this service only. Others log in with POST /api/v1/login."
        raise Problem(HTTPStatus.FORBIDDEN, "cross-origin", detail)


def require() -> None:
    """Let the request through if its cookie is a refresh token that counts, and its CSRF value came too; else 401."""
    if not request.cookies.get(REFRESH_COOKIE):
        raise tokens.refusal("token-missing", "This browser has no session. Log in with POST /api/v1/session.")
    claims = _claims()
    _check_csrf(claims)
    tokens.admit(tokens.session_token(claims), "refresh")


def find() -> SessionToken | None:
    """The session of the cookie, which may have been used; None without one that still counts.

    :raises Problem: 401, its CSRF value did not come with it.
    :raises DatabaseUnavailableError: nobody can say.
    """
    try:
        claims = _claims()
    except (JWTExtendedException, PyJWTError):
        return None
    token = tokens.session_token(claims)
    if sessions.load_current_user(token, whatever_its_id=True) is None:
        return None
    _check_csrf(claims)
    return token


def issue(user_id: int, token_version: int, family: str | None = None) -> tuple[TokenPair, str]:
    """Tokens as `tokens.issue` makes them, and the CSRF value that the refresh token knows."""
    csrf = secrets.token_urlsafe(_CSRF_BYTES)
    return tokens.issue(user_id, token_version, family, csrf=csrf), csrf


def keep(response: Response, pair: TokenPair, csrf: str) -> None:
    """Have the browser keep both cookies for as long as the refresh token lasts."""
    _set(response, REFRESH_COOKIE, pair.refresh_token, seconds=pair.refresh_expires_in)
    _set(response, CSRF_COOKIE, csrf, seconds=pair.refresh_expires_in)


def clear(response: Response) -> None:
    """Have the browser forget both cookies."""
    for name in _PLACES:
        _set(response, name, "", seconds=0)


def _is_own(origin: str) -> bool:
    """A proxy that is not declared may have taken the s of https away."""
    return origin in (f"{request.scheme}://{request.host}", f"https://{request.host}")


def _claims() -> dict[str, Any]:
    claims = tokens.verified("refresh", "cookies")
    if not isinstance(claims.get("csrf"), str):
        raise InvalidTokenError("it was not made for a cookie")
    return claims


def _check_csrf(claims: dict[str, Any]) -> None:
    sent = request.headers.get(CSRF_HEADER)
    if not sent:
        detail = f"Send {CSRF_HEADER} with the value of the cookie {CSRF_COOKIE}."
        raise tokens.refusal("csrf-missing", detail)
    if not hmac.compare_digest(sent.encode(), claims["csrf"].encode()):
        detail = f"{CSRF_HEADER} is not that of this session. Send the value that the cookie {CSRF_COOKIE} has now."
        raise tokens.refusal("csrf-mismatch", detail)


def _set(response: Response, name: str, value: str, *, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, secure=request.is_secure, samesite="Strict", **_PLACES[name])
