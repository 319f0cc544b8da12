"""The audit log: who did what to which account, from where; in a table that only grows, and on the logger `audit`.

The table is the record: a row is written in the transaction of what it tells about, so that both are saved or neither.
The line for the log is written when that transaction is committed: no line tells of what never was.

What anybody can send without an account must not fill the table. Failed log-ins are bounded by the throttle, which
also records one refusal for each wait; rejected tokens are on the log stream only (`auth.token_rejected`). Nor must a
user fill it with what is denied to them: one row a minute for each call, and a line for each time.
"""

import json
import logging
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final

from flask import current_app, has_request_context
from sqlalchemy import Connection, RowMapping, insert, select

from api_service import clock
from api_service.client_address import client_address
from api_service.database import after_commit, reading, writing
from api_service.models import AuditEntry, User
from api_service.rate_counters import MemoryCounters
from service_kit.request_ids import current_request_id

_DENIALS: Final = "recorded_denials"
_MINUTE: Final = 60
_log = logging.getLogger("audit")


class AuditEvent(StrEnum):
    """What is recorded; the log line has the name `audit.<event>`."""

    LOGIN_SUCCEEDED = "login_succeeded"
    LOGIN_FAILED = "login_failed"
    LOGIN_THROTTLED = "login_throttled"
    """The first refusal in a wait that the login throttle imposed."""
    LOGGED_OUT = "logged_out"
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105  no secret
    REFRESH_REUSED = "refresh_reused"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_NOT_CONFIRMED = "password_not_confirmed"  # noqa: S105
    """A logged-in user gave a wrong one as their own."""
    USER_ADDED = "user_added"
    ROLE_CHANGED = "role_changed"
    USER_DEACTIVATED = "user_deactivated"
    USER_ACTIVATED = "user_activated"
    HISTORY_PRUNED = "history_pruned"
    """Old entries of all users were deleted."""
    ADMIN_READ = "admin_read"
    """A super user was shown what only super users see."""
    ACCESS_DENIED = "access_denied"
    """A user asked for what only super users see."""


_ALARMING: Final = {
    AuditEvent.LOGIN_FAILED,
    AuditEvent.LOGIN_THROTTLED,
    AuditEvent.REFRESH_REUSED,
    AuditEvent.PASSWORD_NOT_CONFIRMED,
    AuditEvent.ACCESS_DENIED,
}

_ENTRIES: Final = (
    select(
        AuditEntry.id,
        AuditEntry.at,
        AuditEntry.event,
        AuditEntry.user_id,
        User.username,
        AuditEntry.address,
        AuditEntry.request_id,
        AuditEntry.detail,
    )
    .outerjoin(User, User.id == AuditEntry.user_id)
    .order_by(AuditEntry.id.desc())
)


def record(connection: Connection, event: AuditEvent, user_id: int | None, **detail: str | int) -> None:
    """Write one row in the transaction of `connection`, one of `writing`, and one line of the log when it commits.

    `user_id` is the account that the event is about; None when there is none, as for a log-in with an unknown name.
    Who acted is that user, unless `detail` has `by`: the id of a super user, or the command line. `detail` is a few
    short values of ours: never a secret, never a text that somebody typed.
    """
    row = _row(event, user_id, detail)
    connection.execute(insert(AuditEntry).inline(), row | {"detail": json.dumps(row["detail"])})
    after_commit(connection, partial(_say, event, row))


def record_denial(user_id: int, call: str) -> None:
    """Note that the user was denied that call: a line each time, a row for the first time in each minute.

    Each process remembers for itself, so there may be as many rows as processes.

    :raises DatabaseUnavailableError: the row cannot be written.
    """
    recorded: MemoryCounters = current_app.extensions.setdefault(_DENIALS, MemoryCounters())
    minute = int(clock.utc_now().timestamp() // _MINUTE)
    key = f"{minute}:{user_id}:{call}"
    if recorded.count(key):
        _say(AuditEvent.ACCESS_DENIED, _row(AuditEvent.ACCESS_DENIED, user_id, {"call": call}))
        return
    with writing() as connection:
        record(connection, AuditEvent.ACCESS_DENIED, user_id, call=call)
    recorded.add(key, _MINUTE)  # afterwards: what could not be recorded is tried again


def entries(
    limit: int, before: int | None = None, event: AuditEvent | None = None, user_id: int | None = None
) -> Sequence[RowMapping]:
    """The latest `limit` entries, the latest first: of those with an id below `before`, of that event, of that user.

    `detail` is JSON text, `username` None where no account is concerned.
    """
    query = _ENTRIES.limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if event is not None:
        query = query.where(AuditEntry.event == event.value)
    if user_id is not None:
        query = query.where(AuditEntry.user_id == user_id)
    with reading() as connection:
        return connection.execute(query).mappings().all()


def _row(event: AuditEvent, user_id: int | None, detail: dict[str, str | int]) -> dict[str, Any]:
    address = client_address()
    return {
        "at": clock.utc_now(),
        "event": event.value,
        "user_id": user_id,
        "address": None if address is None else str(address),
        "request_id": current_request_id(),
        "detail": detail if has_request_context() else detail | {"by": "command-line"},
    }


def _say(event: AuditEvent, row: dict[str, Any]) -> None:
    fields = {name: row[name] for name in ("user_id", "address", "request_id", "detail")}
    _log.log(logging.WARNING if event in _ALARMING else logging.INFO, f"audit.{event}", extra=fields)
