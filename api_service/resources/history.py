"""GET /api/v1/users/history?limit=9&before=47: what the calling user was served, the latest first."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import history
from api_service.auth.helpers import login_required
from api_service.auth.tokens import current_user
from api_service.resources import paging
from api_service.resources.schemas import HistoryEntryBody

blueprint = Blueprint("history", __name__)
_ENTRIES: Final = HistoryEntryBody(many=True)


@blueprint.get("/users/history")
@login_required
def own_history() -> Response:
    page = paging.page_of_query()
    found = history.history_of(current_user().id, page.one_more, page.before)
    shown, following = paging.cut(found, page)
    return paging.link_next(jsonify(_ENTRIES.dump(shown)), following)
