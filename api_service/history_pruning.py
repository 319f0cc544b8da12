"""Deleting what was served long ago: for good, and a little at a time, so that the service goes on beside it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select

from api_service.database import writing
from api_service.models import HistoryEntry

_BATCH: Final = 1000
"""Entries in one transaction: so few that it ends well within the time for saving."""

_OLDEST: Final = (
    select(HistoryEntry.id)
    .where(HistoryEntry.user_id == bindparam("user_id"), HistoryEntry.requested_at < bindparam("before"))
    .order_by(HistoryEntry.requested_at, HistoryEntry.id)
    .limit(_BATCH)
)
_DELETE_OLDEST: Final = delete(HistoryEntry).where(HistoryEntry.id.in_(_OLDEST))


def prune(user_id: int, before: datetime) -> Iterator[int]:
    """Delete what the user asked before that moment; yields how many entries each transaction has deleted.

    The counts of stocks stay: they say what was ever asked for.

    :raises DatabaseUnavailableError: what was yielded is deleted, and no more.
    """
    deleted = _BATCH
    while deleted == _BATCH:
        with writing() as connection:
            deleted = connection.execute(_DELETE_OLDEST, {"user_id": user_id, "before": before}).rowcount
        yield deleted
