"""GET /api/v1/users/history?limit=9&before=47: what the calling user was served, the latest first."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import history
from api_service.auth.helpers import login_required
from api_service.auth.tokens import current_user
from api_service.documented import Answer, Call, Tag, documented, list_of
from api_service.resources import paging
from api_service.resources.schemas import HistoryEntryBody

blueprint = Blueprint("history", __name__)
_ENTRIES: Final = HistoryEntryBody(many=True)


@blueprint.get("/users/history")
@documented(
    Call(
        "history",
        "What the calling user was served",
        Tag.USERS,
        (
            Answer(
                "The latest entry first",
                list_of(HistoryEntryBody, at_most=paging.MAX_LIMIT),
                headers=(paging.LINK,),
                example=[
                    {
                        "date": "2021-04-01T19:20:30Z",
                        "name": "APPLE",
                        "symbol": "AAPL.US",
                        "open": 123.66,
                        "high": 124.18,
                        "low": 122.49,
                        "close": 123,
                    }
                ],
            ),
        ),
        paging.PAGE,
    )
)
@login_required
def own_history() -> Response:
    page = paging.page_of_query()
    found = history.history_of(current_user().id, page.one_more, page.before)
    shown, following = paging.cut(found, page)
    return paging.link_next(jsonify(_ENTRIES.dump(shown)), following)
