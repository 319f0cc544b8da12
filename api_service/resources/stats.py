"""GET /api/v1/stats: the five stocks that were served most often, for super users."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import popularity
from api_service.auth.helpers import admin_required
from api_service.documented import Answer, Call, Tag, documented, list_of
from api_service.resources.schemas import StockCountBody

blueprint = Blueprint("stats", __name__)
_COUNTS: Final = StockCountBody(many=True)
_SHOWN: Final = 5


@blueprint.get("/stats")
@documented(
    Call(
        "stats",
        "The most requested stocks",
        Tag.SUPER_USERS,
        (
            Answer(
                "The five most requested, the most first",
                list_of(StockCountBody, at_most=_SHOWN),
                example=[{"stock": "aapl.us", "times_requested": 5}],
            ),
        ),
    )
)
@admin_required
def most_requested() -> Response:
    return jsonify(_COUNTS.dump(popularity.most_requested(limit=_SHOWN)))
