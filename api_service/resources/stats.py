"""GET /api/v1/stats: the five stocks that were served most often, for super users."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import popularity
from api_service.auth.helpers import admin_required
from api_service.resources.schemas import StockCountBody

blueprint = Blueprint("stats", __name__)
_COUNTS: Final = StockCountBody(many=True)


@blueprint.get("/stats")
@admin_required
def most_requested() -> Response:
    return jsonify(_COUNTS.dump(popularity.most_requested(limit=5)))
