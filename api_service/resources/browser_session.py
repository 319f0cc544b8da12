"""POST and DELETE /api/v1/session, POST /api/v1/session/refresh: log-in, log-out and new tokens for a web page.

The page keeps the access token, and its browser the refresh token, in a cookie; see `auth.browser_sessions`.
"""

from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import sessions
from api_service.auth import browser_sessions
from api_service.auth.browser_sessions import CSRF, ORIGIN, require_own_page
from api_service.auth.helpers import session_cookie_required
from api_service.documented import Answer, Call, Header, Tag, documented
from api_service.problem_kinds import CSRF as CSRF_PROBLEMS
from api_service.problem_kinds import PASSWORD_CHECK
from api_service.resources.login import ACCESS_EXAMPLE, LOGIN_EXAMPLE, user_of_body
from api_service.resources.schemas import AccessTokenBody, LoginBody
from api_service.resources.sessions import no_content, use_up_refresh_token

blueprint = Blueprint("browser_session", __name__)
_ACCESS: Final = AccessTokenBody()
_COOKIES: Final = Header(
    "Set-Cookie", "The two cookies, `stock_quotes_refresh` and `stock_quotes_csrf`", {"type": "string"}
)
_SESSION: Final = Answer(
    "A token, good for an hour, and cookies, good for seven days",
    AccessTokenBody,
    headers=(_COOKIES,),
    example=ACCESS_EXAMPLE,
)


@blueprint.post("/session")
@documented(
    Call(
        "beginSession",
        "A log-in for a web page of this service",
        Tag.SESSION,
        (_SESSION,),
        (ORIGIN,),
        body=LoginBody,
        body_example=LOGIN_EXAMPLE,
        problems=("login-failed", *PASSWORD_CHECK),
        description="As `/login`, but the refresh token is a cookie, `stock_quotes_refresh`, that no script can read"
        " and that is sent to `/api/v1/session` only. The cookie `stock_quotes_csrf` is for the page to read. Pages of"
        " other origins are refused.",
    )
)
def log_in() -> Response:
    require_own_page()
    user = user_of_body()
    return _answer(user.user_id, user.token_version)


@blueprint.post("/session/refresh")
@documented(
    Call(
        "refreshSession",
        "A new access token for a web page of this service",
        Tag.SESSION,
        (_SESSION,),
        (ORIGIN, CSRF),
        description="Each cookie works once, as each refresh token of `/refresh` does: refresh in one tab at a time.",
    )
)
@session_cookie_required
def refresh() -> Response:
    used = use_up_refresh_token()
    return _answer(used.user_id, used.token_version, used.family)


@blueprint.delete("/session")
@documented(
    Call(
        "endSession",
        "The end of a page's log-in",
        Tag.SESSION,
        (
            Answer(
                "From the next request on no token of this log-in counts",
                headers=(_COOKIES,),
                status=HTTPStatus.NO_CONTENT,
            ),
        ),
        (ORIGIN, CSRF),
        problems=CSRF_PROBLEMS,
        description="Both cookies are deleted, also where there was none, or one that no longer counts.",
    )
)
def log_out() -> Response:
    """End the cookie's log-in, if it still counts; in any case the cookies are gone afterwards."""
    require_own_page()
    session = browser_sessions.find()
    if session:
        sessions.end(session)
    answer = no_content()
    browser_sessions.clear(answer)
    return answer


def _answer(user_id: int, token_version: int, family: str | None = None) -> Response:
    pair, csrf = browser_sessions.issue(user_id, token_version, family)
    answer = jsonify(_ACCESS.dump(pair))
    browser_sessions.keep(answer, pair, csrf)
    return answer
