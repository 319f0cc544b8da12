"""GET /api/v1/audit?limit=9&before=47&event=login_failed&user_id=2: the audit log, latest first, for super users."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service import audit
from api_service.audit import AuditEvent
from api_service.auth.helpers import admin_required
from api_service.documented import Answer, Call, Parameter, Tag, documented, list_of
from api_service.models import MAX_USER_ID
from api_service.resources import paging
from api_service.resources.schemas import AuditEntryBody

blueprint = Blueprint("audit", __name__)
_ENTRIES: Final = AuditEntryBody(many=True)
_EVENTS: Final = f"one of {', '.join(AuditEvent)}"
_EVENT: Final = Parameter(
    "event", "Entries of this event only.", {"type": "string", "enum": [event.value for event in AuditEvent]}
)
_USER_ID: Final = Parameter(
    "user_id", "Entries about this account only.", {"type": "integer", "minimum": 1, "maximum": MAX_USER_ID}
)
_EXAMPLE: Final = {
    "id": 4712,
    "at": "2026-11-23T09:30:00.123456Z",
    "event": "login_failed",
    "user_id": 2,
    "username": "johndoe",
    "address": "192.0.2.7",
    "request_id": "0f3b1c9f5d0e4e6f8a7b6c5d4e3f2a1b",
    "detail": {"reason": "wrong-password"},
}


@blueprint.get("/audit")
@documented(
    Call(
        "audit",
        "Who logged in, who failed to, who changed or saw what",
        Tag.SUPER_USERS,
        (
            Answer(
                "The latest entry first",
                list_of(AuditEntryBody, at_most=paging.MAX_LIMIT),
                headers=(paging.LINK,),
                example=[_EXAMPLE],
            ),
        ),
        (*paging.PAGE, _EVENT, _USER_ID),
    )
)
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
