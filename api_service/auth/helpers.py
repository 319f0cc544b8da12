"""The decorators that guard the calls, and who is calling."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec, TypeVar, cast

from flask_jwt_extended import get_current_user, verify_jwt_in_request

from api_service.models import Role
from api_service.users import CurrentUser
from service_kit.problems import Problem

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call through for an active user with a valid token; else answer 401."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        verify_jwt_in_request()
        return view(*args, **kwargs)

    return guarded


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let the call through for super users; else answer 401 (who?) or 403 (not you)."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        verify_jwt_in_request()
        if current_user().role is not Role.ADMIN:
            _log.warning("auth.denied", extra={"user_id": current_user().id})
            raise Problem(HTTPStatus.FORBIDDEN, "super-users-only", "Only super users may make this call.")
        return view(*args, **kwargs)

    return guarded


def current_user() -> CurrentUser:
    """The user of this request, as the database has them; only inside a guarded call."""
    return cast("CurrentUser", get_current_user())
