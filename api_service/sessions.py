"""Which tokens still count: the one SELECT of every request, and the deny-list of tokens and log-ins that ended early.

All tokens of one log-in are a family. An entry of the deny-list is a token (`jti`) or a family (`fam`); it is in the
database, so it holds in every process and through a restart.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from flask import current_app
from sqlalchemy import Connection, bindparam, delete, exists, select

from api_service import audit
from api_service.audit import AuditEvent
from api_service.database import insert_into, read_row, writing
from api_service.models import RevokedToken, User
from api_service.shared_lookups import SharedLookups
from api_service.users import CurrentUser

REFRESH_LIFETIME: Final = timedelta(days=7)
"""Of a refresh token, from its making; no token lives longer."""

_LOOKUPS: Final = "session_lookups"
_KEPT: Final = REFRESH_LIFETIME + timedelta(hours=1)
"""So long an entry stays: every token made until now has ended by then, on clocks that differ, too."""

_PURGED_AT_ONCE: Final = 100
"""More than are written at once, so that the list shrinks; bounded, so that no caller pays for a long absence."""

_CURRENT: Final = select(User.id, User.username, User.role).where(
    User.id == bindparam("user_id"),
    User.active,
    User.token_version == bindparam("token_version"),
    ~exists().where(RevokedToken.id.in_([bindparam("token_id"), bindparam("family")])),
)
_EXPIRED: Final = (
    select(RevokedToken.id)
    .where(RevokedToken.expires_at < bindparam("now"))
    .order_by(RevokedToken.expires_at)
    .limit(_PURGED_AT_ONCE)
    .with_for_update(skip_locked=True)  # two that purge at the same time take different rows
)
_PURGE: Final = delete(RevokedToken).where(RevokedToken.id.in_(_EXPIRED))


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a token says; its signature and its times have been checked."""

    id: str
    family: str
    user_id: int
    token_version: int


def load_current_user(token: SessionToken, *, whatever_its_id: bool = False) -> CurrentUser | None:
    """The user of `token`, if it still counts: active, of the same token version, neither it nor its family denied.

    With `whatever_its_id` only the family is looked up: `rotate` decides about the token, in its own transaction.

    Requests with the same token that wait at the same time share a look-up that began after they came.

    :raises DatabaseUnavailableError: nobody can say.
    """
    lookups: SharedLookups[SessionToken, CurrentUser | None] | None = current_app.extensions.get(_LOOKUPS)
    if lookups is None:
        lookups = current_app.extensions.setdefault(_LOOKUPS, SharedLookups(_look_up))
    return lookups(replace(token, id=token.family) if whatever_its_id else token)


def _look_up(token: SessionToken) -> CurrentUser | None:
    values = {
        "user_id": token.user_id,
        "token_version": token.token_version,
        "token_id": token.id,
        "family": token.family,
    }
    row = read_row(_CURRENT, values)
    return CurrentUser(*row) if row else None


def rotate(token: SessionToken) -> bool:
    """Use up a refresh token; true for its first use, and false for every other, which ends the whole family.

    There is no grace for a second use, however soon after the first: two parties hold the same token, and nobody can
    tell which of them is the thief. Whoever loses the answer to a refresh logs in again.

    :raises DatabaseUnavailableError: the token has not been used.
    """
    with writing() as connection:
        first = _deny(connection, token.id)
        if not first:
            _deny(connection, token.family)
        event = AuditEvent.TOKEN_REFRESHED if first else AuditEvent.REFRESH_REUSED
        audit.record(connection, event, token.user_id)
    return first


def end(token: SessionToken) -> None:
    """End the log-in that `token` belongs to: all its access tokens and its refresh token, at once.

    :raises DatabaseUnavailableError: it has not ended.
    """
    with writing() as connection:
        _deny(connection, token.family)
        audit.record(connection, AuditEvent.LOGGED_OUT, token.user_id)


def _deny(connection: Connection, token_or_family: str) -> bool:
    """Put it on the list; false when it stands there already. Of two at the same time exactly one gets true."""
    now = datetime.now(UTC)
    insert = insert_into(RevokedToken, connection.dialect.name)
    once = insert.on_conflict_do_nothing(index_elements=[RevokedToken.id])
    added = connection.execute(once, {"id": token_or_family, "expires_at": now + _KEPT}).rowcount
    connection.execute(_PURGE, {"now": now})
    return bool(added)
