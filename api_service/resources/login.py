"""POST /api/v1/login: a name and a password for a pair of tokens."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint

from api_service.auth import tokens
from api_service.auth.credentials import authenticate
from api_service.documented import Answer, Call, Tag, documented
from api_service.problem_kinds import PASSWORD_CHECK
from api_service.resources.request_parts import json_body
from api_service.resources.schemas import LoginBody, TokenPairBody
from api_service.services import services
from api_service.users import Credentials
from service_kit.problems import Problem

blueprint = Blueprint("login", __name__)
_LOGIN: Final = LoginBody()
_PAIR: Final = TokenPairBody()
LOGIN_EXAMPLE: Final = {"username": "johndoe", "password": "john"}
ACCESS_EXAMPLE: Final = {"token": "eyJhbGciOiJIUzI1NiIs...", "token_type": "Bearer", "expires_in": 3600}
PAIR_EXAMPLE: Final = {
    **ACCESS_EXAMPLE,
    "refresh_token": "eyJhbGciOiJIUzI1NiIs...",
    "refresh_expires_in": 604800,
}


@blueprint.post("/login")
@documented(
    Call(
        "logIn",
        "A name and a password for a pair of tokens",
        Tag.SESSION,
        (
            Answer(
                "A token, good for an hour, and a refresh token, good for seven days",
                TokenPairBody,
                example=PAIR_EXAMPLE,
            ),
        ),
        body=LoginBody,
        body_example=LOGIN_EXAMPLE,
        problems=("login-failed", *PASSWORD_CHECK),
    )
)
def log_in() -> dict[str, Any]:
    user = user_of_body()
    answer: dict[str, Any] = _PAIR.dump(tokens.issue(user.user_id, user.token_version))
    return answer


def user_of_body() -> Credentials:
    """The user whose name and password the body has.

    :raises Problem: 400, the body is not what it should be; 401, nobody may log in with that.
    :raises TooManyAttemptsError: too many were wrong; this one was not looked at.
    """
    body = json_body(_LOGIN)
    user = authenticate(services().passwords, body["username"], body["password"])
    if user is None:
        detail = "The user name or the password is wrong, or the account is not active."
        raise Problem(HTTPStatus.UNAUTHORIZED, "login-failed", detail, headers=tokens.CHALLENGE)
    return user
