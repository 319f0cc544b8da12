"""Deleting what was served long ago: for good, and a little at a time, so that the service goes on beside it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from api_service.column_types import UtcDateTime
from api_service.database import written
from api_service.models import HistoryEntry

_BATCH: Final = 1000
"""Entries in one transaction: so few that it ends well within the time for saving."""
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)

_OLDEST: Final = (
    select(HistoryEntry.id)
    .where(
        HistoryEntry.user_id == bindparam("user_id"),
        # From where the last batch ended: PostgreSQL would go through what is deleted already, batch for batch.
        HistoryEntry.requested_at >= bindparam("start", type_=UtcDateTime),
        HistoryEntry.requested_at < bindparam("end", type_=UtcDateTime),
    )
    .order_by(HistoryEntry.requested_at, HistoryEntry.id)
    .limit(_BATCH)
)
_DELETE_OLDEST: Final = delete(HistoryEntry).where(HistoryEntry.id.in_(_OLDEST)).returning(HistoryEntry.requested_at)


def prune(user_id: int, before: datetime) -> Iterator[int]:
    """Delete what the user asked before that moment; yields how many entries each transaction has deleted.

    Between two of them it pauses for as long as one took: others, who save, find the lock free. The counts of stocks
    stay: they say what was ever asked for.

    :raises DatabaseUnavailableError: what was yielded is deleted, and no more.
    """
    start = _BEGINNING
    while True:
        began_at = time.monotonic()
        moments = written(partial(_delete, user_id=user_id, start=start, end=before))
        yield len(moments)
        if len(moments) < _BATCH:
            return
        start = max(moments)
        time.sleep(time.monotonic() - began_at)


def _delete(connection: Connection, user_id: int, start: datetime, end: datetime) -> list[datetime]:
    values = {"user_id": user_id, "start": start, "end": end}
    return list(connection.execute(_DELETE_OLDEST, values).scalars())
