"""Tokens: Flask-JWT-Extended, set so that only complete tokens of our own making pass, and only while they count.

Its defaults accept a token without expiry and answer 422 in a shape of their own; every hook here answers 401 with a
problem document instead.
"""

import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Literal, cast

from flask import Flask, Response, current_app, g, request
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, verify_jwt_in_request
from jwt import ImmatureSignatureError, InvalidTokenError

from api_service import sessions
from api_service.auth.signing_keys import SigningKeys
from api_service.auth.verified_tokens import VerifiedTokens
from api_service.sessions import REFRESH_LIFETIME, SessionToken
from api_service.users import CurrentUser
from service_kit.problems import Problem

LIFETIME: Final = timedelta(minutes=60)
"""Of an access token; a refresh token lives for `sessions.REFRESH_LIFETIME`."""

CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
"""Every 401 names the scheme (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)."""

REFRESH_COOKIE: Final = "stock_quotes_refresh"

Kind = Literal["access", "refresh"]

_NAME: Final = "stock-quotes-api"
"""Issuer and audience: this service makes its tokens for itself."""

_LEEWAY: Final = timedelta(seconds=10)
"""How far the clocks of two API processes may differ; it lengthens a token's life by as much."""

_MAX_INTEGER: Final = 2**31 - 1
"""The largest that the database's columns for user id and token version take."""

_VERIFIED: Final = "verified_tokens"
_KEY_ID: Final = "signing_key_id"
_INVALID: Final = "token-invalid"
_LOG_IN_AGAIN: Final = "The token is not valid, or its session has ended. Log in again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a log-in gives: a token for calls, and one for the next pair. Lifetimes in whole seconds."""

    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105  the name of the scheme
    expires_in: int = int(LIFETIME.total_seconds())
    refresh_expires_in: int = int(REFRESH_LIFETIME.total_seconds())


def init_app(app: Flask, keys: SigningKeys) -> None:
    app.config.update(
        JWT_SECRET_KEY=keys.current,  # signs nothing else: Flask's own SECRET_KEY stays unset
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_REFRESH_COOKIE_NAME=REFRESH_COOKIE,  # for the calls that say so: see `auth.browser_sessions`
        JWT_COOKIE_CSRF_PROTECT=False,  # it would put its claim into every token; `auth.browser_sessions` checks it
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_REFRESH_TOKEN_EXPIRES=REFRESH_LIFETIME,
        JWT_DECODE_LEEWAY=_LEEWAY.total_seconds(),
        JWT_ENCODE_ISSUER=_NAME,
        JWT_DECODE_ISSUER=_NAME,
        JWT_ENCODE_AUDIENCE=_NAME,
        JWT_DECODE_AUDIENCE=_NAME,
    )
    app.extensions[_VERIFIED] = VerifiedTokens()
    manager = JWTManager(app)
    _register_refusals(manager)
    app.register_error_handler(ImmatureSignatureError, _refuse_immature)
    _register_checks(manager, keys)
    app.extensions[_KEY_ID] = keys.current_id


def issue(user_id: int, token_version: int, family: str | None = None, *, csrf: str | None = None) -> TokenPair:
    """Tokens that say who, never what they may do: that is read from the database on every request.

    Without a `family` they begin one, as a log-in does. `token_version` must be the one that the caller has been
    checked against; a later one would outlive the change that ended it. The refresh token knows `csrf`, if given.
    """
    claims: dict[str, str | int] = {"tv": token_version, "fam": family or secrets.token_hex(16)}
    for_refresh = claims if csrf is None else claims | {"csrf": csrf}
    header = {"kid": current_app.extensions[_KEY_ID]}
    return TokenPair(
        create_access_token(str(user_id), additional_claims=claims, additional_headers=header),
        create_refresh_token(str(user_id), additional_claims=for_refresh, additional_headers=header),
    )


def require(kind: Kind) -> None:
    """Let the request through if its header carries a token of that kind which counts; else answer 401."""
    known: VerifiedTokens = current_app.extensions[_VERIFIED]
    header = request.headers.get("Authorization", "")
    token, expires_at = known.get(header) if kind == "access" else None, None
    if token is None:
        claims = verified(kind, "headers")
        token, expires_at = session_token(claims), int(claims["exp"])  # a number, also where it came as a text
    admit(token, kind)
    if kind == "access" and expires_at is not None:
        known.add(header, token, expires_at)


def verified(kind: Kind, location: Literal["headers", "cookies"]) -> dict[str, Any]:
    """The claims of the request's token of that kind; those of a token that is wrong end the request with a 401."""
    found = verify_jwt_in_request(refresh=kind == "refresh", locations=[location])
    assert found  # it is not optional
    claims: dict[str, Any] = found[1]
    return claims


def session_token(claims: dict[str, Any]) -> SessionToken:
    """What they say, when they are `verified`."""
    return SessionToken(id=claims["jti"], family=claims["fam"], user_id=int(claims["sub"]), token_version=claims["tv"])


def admit(token: SessionToken, kind: Kind) -> None:
    """Let the request through as one of the token's user, if the token still counts; else answer 401."""
    user = sessions.load_current_user(token, whatever_its_id=kind == "refresh")
    if user is None:
        raise session_ended()
    g.session_token, g.current_user = token, user


def presented() -> SessionToken:
    """The token of this request; only after `require`."""
    return cast("SessionToken", g.session_token)


def current_user() -> CurrentUser:
    """Whose token it is, as the database has them; only after `require`."""
    return cast("CurrentUser", g.current_user)


def session_ended() -> Problem:
    """The 401 for a token that counted when the request came in, and then no longer."""
    return refusal(_INVALID, _LOG_IN_AGAIN)


def _register_refusals(manager: JWTManager) -> None:
    def answer_invalid(*_: Any) -> Response:
        return refusal(_INVALID, _LOG_IN_AGAIN).response()

    def answer_missing(_: str) -> Response:
        detail = "This call needs a token: log in, then send Authorization: Bearer <token>."
        return refusal("token-missing", detail).response()

    def answer_expired(*_: Any) -> Response:
        detail = "The token has expired. Refresh it with POST /api/v1/refresh, or log in again."
        return refusal("token-expired", detail).response()

    manager.unauthorized_loader(answer_missing)
    manager.expired_token_loader(answer_expired)
    manager.invalid_token_loader(answer_invalid)
    manager.needs_fresh_token_loader(answer_invalid)
    manager.revoked_token_loader(answer_invalid)
    manager.token_verification_failed_loader(answer_invalid)


def _refuse_immature(_: ImmatureSignatureError) -> Response:
    detail = "The token is from the future: the clocks of two servers differ. Log in again, and tell the operators."
    return refusal("token-not-yet-valid", detail).response()


def refusal(slug: str, detail: str) -> Problem:
    """A 401 that names the scheme, and is logged."""
    _log.warning("auth.token_rejected", extra={"reason": slug})
    return Problem(HTTPStatus.UNAUTHORIZED, slug, detail, headers=CHALLENGE)


def _register_checks(manager: JWTManager, keys: SigningKeys) -> None:
    def key_of(header: dict[str, Any], claims: dict[str, Any]) -> str:
        # Only here are the claims as they came: afterwards a token without a type is one for access. Not verified yet,
        # the value may be of any kind, also of one that no set can hold.
        if claims.get("type") not in ("access", "refresh"):
            raise InvalidTokenError("no type")
        key = keys.key_for(header)
        if key is None:
            raise InvalidTokenError("no known key")
        return key

    manager.decode_key_loader(key_of)
    manager.token_verification_loader(_is_complete)


def _is_complete(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """PyJWT has checked what is there (signature, times, issuer, audience); here that nothing is left out."""
    return (
        all(claims.get(name) is not None for name in ("exp", "iat"))
        and all(isinstance(claims.get(name), str) for name in ("jti", "fam"))
        and type(claims.get("tv")) is int
        and 0 <= claims["tv"] <= _MAX_INTEGER
        and _is_user_id(claims["sub"])
    )


def _is_user_id(subject: str) -> bool:
    return (
        subject.isascii()
        and subject.isdigit()
        and len(subject) <= len(str(_MAX_INTEGER))
        and int(subject) <= _MAX_INTEGER
    )
