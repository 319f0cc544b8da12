"""GET /api/v1/audit?limit=9&before=47&event=login_failed&user_id=2: the audit log, latest first, for super users."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import audit
from api_service.audit import AuditEvent
from api_service.auth.helpers import admin_required
from api_service.models import MAX_USER_ID
from api_service.resources import paging
from api_service.resources.schemas import AuditEntryBody

blueprint = Blueprint("audit", __name__)
_ENTRIES: Final = AuditEntryBody(many=True)
_EVENTS: Final = f"one of {', '.join(AuditEvent)}"


@blueprint.get("/audit")
@admin_required
def audit_log() -> Response:
    page = paging.page_of_query()
    user_id = paging.whole_number_of_query("user_id", MAX_USER_ID)
    found = audit.entries(page.one_more, page.before, _event_of_query(), user_id)
    shown, following = paging.cut(found, page)
    return paging.link_next(jsonify(_ENTRIES.dump(shown)), following)


def _event_of_query() -> AuditEvent | None:
    text = paging.single_of_query("event", _EVENTS)
    if text is None:
        return None
    try:
        return AuditEvent(text)
    except ValueError:
        raise paging.invalid_parameter("event", _EVENTS) from None
