"""POST and DELETE /api/v1/session, POST /api/v1/session/refresh: log-in, log-out and new tokens for a web page.

The page keeps the access token, and its browser the refresh token, in a cookie; see `auth.browser_sessions`.
"""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import sessions
from api_service.auth import browser_sessions
from api_service.auth.browser_sessions import require_own_page
from api_service.auth.helpers import session_cookie_required
from api_service.resources.login import user_of_body
from api_service.resources.schemas import TokenPairBody
from api_service.resources.sessions import no_content, use_up_refresh_token

blueprint = Blueprint("browser_session", __name__)
_ACCESS: Final = TokenPairBody(only=("token", "token_type", "expires_in"))


@blueprint.post("/session")
def log_in() -> Response:
    require_own_page()
    user = user_of_body()
    return _answer(user.user_id, user.token_version)


@blueprint.post("/session/refresh")
@session_cookie_required
def refresh() -> Response:
    used = use_up_refresh_token()
    return _answer(used.user_id, used.token_version, used.family)


@blueprint.delete("/session")
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
