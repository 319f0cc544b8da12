"""Access tokens: Flask-JWT-Extended, set so that only complete tokens of our own making pass.

Its defaults accept a token without expiry and answer 422 in a shape of their own; every hook here answers 401 with a
problem document instead.
"""

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response
from flask_jwt_extended import JWTManager, create_access_token

from api_service import users
from service_kit.problems import Problem

LIFETIME: Final = timedelta(minutes=60)
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
"""Every 401 names the scheme (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)."""

_NAME: Final = "stock-quotes-api"
"""Issuer and audience: this service makes its tokens for itself."""

_LEEWAY: Final = timedelta(seconds=10)
"""How far the clocks of two API processes may differ; it lengthens a token's life by as much."""

_MAX_USER_ID_DIGITS: Final = 18
"""All such numbers fit into a database's 64 bits."""

_log = logging.getLogger(__name__)


def init_app(app: Flask, secret_key: str) -> None:
    app.config.update(
        JWT_SECRET_KEY=secret_key,  # signs nothing else: Flask's own SECRET_KEY stays unset
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,  # without cookies there is nothing to protect; the claim would only be weight
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_DECODE_LEEWAY=_LEEWAY.total_seconds(),
        JWT_ENCODE_ISSUER=_NAME,
        JWT_DECODE_ISSUER=_NAME,
        JWT_ENCODE_AUDIENCE=_NAME,
        JWT_DECODE_AUDIENCE=_NAME,
    )
    _register(JWTManager(app))


def issue(user_id: int) -> str:
    """A token that says who, never what they may do: that is read from the database on every request."""
    token: str = create_access_token(identity=str(user_id))
    return token


def _register(manager: JWTManager) -> None:
    def answer_invalid(*_: Any) -> Response:
        return _refuse("token-invalid", "The access token is not valid. Log in again.")

    def answer_missing(_: str) -> Response:
        detail = "This call needs an access token: log in, then send Authorization: Bearer <token>."
        return _refuse("token-missing", detail)

    def answer_expired(*_: Any) -> Response:
        return _refuse("token-expired", "The access token has expired. Log in again.")

    manager.unauthorized_loader(answer_missing)
    manager.expired_token_loader(answer_expired)
    manager.invalid_token_loader(answer_invalid)
    manager.needs_fresh_token_loader(answer_invalid)
    manager.revoked_token_loader(answer_invalid)
    manager.token_verification_failed_loader(answer_invalid)
    manager.user_lookup_error_loader(answer_invalid)
    manager.token_verification_loader(_is_complete)
    manager.user_lookup_loader(_load_user)


def _refuse(slug: str, detail: str) -> Response:
    _log.warning("auth.token_rejected", extra={"reason": slug})
    return Problem(HTTPStatus.UNAUTHORIZED, slug, detail, headers=CHALLENGE).response()


def _is_complete(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """PyJWT has checked what is there (signature, times, issuer, audience); here that nothing is left out."""
    return all(claims.get(name) is not None for name in ("exp", "iat", "jti"))


def _load_user(_header: dict[str, Any], claims: dict[str, Any]) -> users.CurrentUser | None:
    subject = claims["sub"]
    if not (subject.isascii() and subject.isdigit()) or len(subject) > _MAX_USER_ID_DIGITS:
        return None
    return users.load_current_user(int(subject))
