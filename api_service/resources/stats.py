"""GET /api/v1/stats?limit=5&from=2026-11-01&to=2026-11-30: the stocks that were served most often, for super users."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import popularity
from api_service.auth.helpers import admin_required
from api_service.documented import Answer, Call, Parameter, Tag, documented, list_of
from api_service.resources import paging
from api_service.resources.periods import DAYS, days_of_query
from api_service.resources.schemas import StockCountBody

blueprint = Blueprint("stats", __name__)
_COUNTS: Final = StockCountBody(many=True)
_DEFAULT_LIMIT: Final = 5
_MAX_LIMIT: Final = 100
_LIMIT: Final = Parameter(
    "limit", "How many stocks.", {"type": "integer", "minimum": 1, "maximum": _MAX_LIMIT, "default": _DEFAULT_LIMIT}
)


@blueprint.get("/stats")
@documented(
    Call(
        "stats",
        "The most requested stocks",
        Tag.SUPER_USERS,
        (
            Answer(
                "The most requested ever, or on the days from `from` to `to`; the most first",
                list_of(StockCountBody, at_most=_MAX_LIMIT),
                example=[{"stock": "aapl.us", "times_requested": 5}],
            ),
        ),
        (_LIMIT, *DAYS),
    )
)
@admin_required
def most_requested() -> Response:
    limit = paging.whole_number_of_query("limit", _MAX_LIMIT) or _DEFAULT_LIMIT
    days = days_of_query()
    counts = popularity.most_requested(limit) if days is None else popularity.most_requested_on(*days, limit)
    return jsonify(_COUNTS.dump(counts))
