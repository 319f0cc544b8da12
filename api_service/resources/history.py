"""GET /api/v1/users/history: what the calling user was served, the latest first, at most the latest 100."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import history
from api_service.auth.helpers import current_user, login_required
from api_service.resources.schemas import HistoryEntryBody

blueprint = Blueprint("history", __name__)
_ENTRIES: Final = HistoryEntryBody(many=True)


@blueprint.get("/users/history")
@login_required
def own_history() -> Response:
    return jsonify(_ENTRIES.dump(history.history_of(current_user().id)))
