"""The decorators that guard the calls, and who is calling."""

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, ParamSpec, TypeVar

from flask import request

from api_service import audit, rate_limits
from api_service.audit import AuditEvent
from api_service.auth import browser_sessions, tokens
from api_service.auth.tokens import current_user
from api_service.database import writing
from api_service.models import Role
from service_kit.problems import Problem

P = ParamSpec("P")
R = TypeVar("R")
_READS = {"GET", "HEAD"}
_GUARD: Final = "guard"


class Guard(Enum):
    """What a call asks for before it lets somebody in."""

    ACCESS_TOKEN = auto()
    REFRESH_TOKEN = auto()
    SESSION_COOKIE = auto()
    SUPER_USER = auto()
    """An access token of one."""


def guard_of(view: Callable[..., Any]) -> Guard | None:
    """What `view` was guarded with below; None: nothing, it is open to everybody."""
    guard: Guard | None = vars(view).get(_GUARD)
    return guard


def _marked(view: Callable[P, R], guard: Guard) -> Callable[P, R]:
    vars(view)[_GUARD] = guard
    return view


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call through for an active user with a valid access token; else answer 401."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _identify("access")
        return view(*args, **kwargs)

    return _marked(guarded, Guard.ACCESS_TOKEN)


def refresh_token_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call through for an active user with a refresh token, used before or not; else answer 401."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _identify("refresh")
        return view(*args, **kwargs)

    return _marked(guarded, Guard.REFRESH_TOKEN)


def session_cookie_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call of one of our pages through when its browser has a session, used before or not; else 401 or 403."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        browser_sessions.require_own_page()
        browser_sessions.require()
        rate_limits.count_user(current_user().id)
        return view(*args, **kwargs)

    return _marked(guarded, Guard.SESSION_COOKIE)


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call through for super users; else answer 401 (who?) or 403 (not you).

    What a super user is shown and what others are refused is recorded first; a change records itself.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _identify("access")
        if current_user().role is not Role.ADMIN:
            audit.record_denial(current_user().id, _call())
            raise Problem(HTTPStatus.FORBIDDEN, "super-users-only", "Only super users may make this call.")
        answer = view(*args, **kwargs)
        if request.method in _READS:
            with writing() as connection:
                audit.record(connection, AuditEvent.ADMIN_READ, current_user().id, call=_call())
        return answer

    return _marked(guarded, Guard.SUPER_USER)


def _identify(kind: tokens.Kind) -> None:
    """Only now it is known who is calling, and may be counted."""
    tokens.require(kind)
    rate_limits.count_user(current_user().id)


def _call() -> str:
    """By its rule, not its path: what stands in its place is the caller's text."""
    return f"{request.method} {request.url_rule}"
