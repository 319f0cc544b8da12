"""POST /api/v1/refresh: a refresh token for a new pair of tokens; POST /api/v1/logout: the end of a log-in."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response

from api_service import sessions, users
from api_service.auth import tokens
from api_service.auth.helpers import login_required, refresh_token_required
from api_service.documented import Answer, Call, Parameter, Tag, documented
from api_service.resources.login import PAIR_EXAMPLE
from api_service.resources.request_parts import flag_of_query
from api_service.resources.schemas import TokenPairBody
from api_service.sessions import SessionToken

blueprint = Blueprint("sessions", __name__)
_PAIR: Final = TokenPairBody()
_EVERYWHERE: Final = Parameter(
    "everywhere", "End all log-ins of the user, not this one only.", {"type": "boolean", "default": False}
)


@blueprint.post("/refresh")
@documented(
    Call(
        "refresh",
        "A refresh token for a new pair of tokens",
        Tag.SESSION,
        (Answer("Tokens of the same log-in", TokenPairBody, example=PAIR_EXAMPLE),),
        description="Each refresh token works once. One that is used a second time is in two hands, so all tokens of"
        " its log-in end.",
    )
)
@refresh_token_required
def refresh() -> dict[str, Any]:
    used = use_up_refresh_token()
    answer: dict[str, Any] = _PAIR.dump(tokens.issue(used.user_id, used.token_version, used.family))
    return answer


@blueprint.post("/logout")
@documented(
    Call(
        "logOut",
        "The end of a log-in",
        Tag.SESSION,
        (
            Answer(
                "From the next request on no token of this log-in counts; with `everywhere` none of the user's",
                status=HTTPStatus.NO_CONTENT,
            ),
        ),
        (_EVERYWHERE,),
    )
)
@login_required
def log_out() -> Response:
    """End this log-in; with `?everywhere=true` all of the user's."""
    if flag_of_query("everywhere"):
        users.end_all_tokens(tokens.presented().user_id)
    else:
        sessions.end(tokens.presented())
    return no_content()


def use_up_refresh_token() -> SessionToken:
    """The refresh token of this request, for which new ones may be made.

    :raises Problem: 401, it was used before.
    """
    used = tokens.presented()
    if not sessions.rotate(used):
        raise tokens.session_ended()
    return used


def no_content() -> Response:
    answer = Response(status=HTTPStatus.NO_CONTENT)
    del answer.headers["Content-Type"]  # there is none
    return answer
