"""POST /api/v1/users/me/password: a new password of one's own, which ends all other sessions."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint

from api_service import users
from api_service.auth import tokens
from api_service.auth.credentials import confirm_password
from api_service.auth.helpers import login_required
from api_service.auth.password_rules import PasswordRefusedError, check_password
from api_service.auth.tokens import current_user
from api_service.documented import Answer, Call, Tag, documented
from api_service.problem_kinds import PASSWORD_CHECK
from api_service.resources.login import PAIR_EXAMPLE
from api_service.resources.request_parts import json_body
from api_service.resources.schemas import PasswordChangeBody, TokenPairBody
from api_service.services import services
from service_kit.problems import Problem

blueprint = Blueprint("password", __name__)
_CHANGE: Final = PasswordChangeBody()
_PAIR: Final = TokenPairBody()


@blueprint.post("/users/me/password")
@documented(
    Call(
        "changePassword",
        "A new password of one's own",
        Tag.SESSION,
        (Answer("Tokens of a new log-in; all other sessions have ended", TokenPairBody, example=PAIR_EXAMPLE),),
        body=PasswordChangeBody,
        body_example={"current_password": "john", "new_password": "pelican orbit tuesday glue"},
        problems=("password-refused", "wrong-password", *PASSWORD_CHECK),
    )
)
@login_required
def change_own_password() -> dict[str, Any]:
    """Answer with tokens of a new session.

    A wrong current password is a 403 and not a 401: the token is good, and clients take a 401 for the end of their
    session. It is asked for first, so that only who knows it makes the rules' scoring work.
    """
    body = json_body(_CHANGE)
    passwords, user, token_version = services().passwords, current_user(), tokens.presented().token_version
    if not confirm_password(passwords, user, body["current_password"]):
        detail = "The current password is wrong; nothing was changed."
        raise Problem(HTTPStatus.FORBIDDEN, "wrong-password", detail)
    try:
        if body["new_password"] == body["current_password"]:
            raise PasswordRefusedError("This is the password that you have. Choose another one.")  # noqa: TRY301
        check_password(body["new_password"], user.username)
    except PasswordRefusedError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "password-refused", str(error)) from None
    if not users.change_own_password(user.id, token_version, passwords.hash(body["new_password"])):
        raise tokens.session_ended()
    answer: dict[str, Any] = _PAIR.dump(tokens.issue(user.id, token_version + 1))
    return answer
