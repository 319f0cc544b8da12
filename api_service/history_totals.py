"""How many entries a user has, without counting a long history for each page.

No save writes down a number, which would be one more row to lock. A process remembers how many entries a user had up
to a moment, and counts those that are newer. That moment is a minute old, because an entry becomes visible later than
the moment that stands in it: by no more than a call lives, which is eight seconds (`service_kit.time_budget`), and by
what the clocks of two API processes differ. After ten minutes all is counted anew, so that entries which something
else has added or deleted further back show.

What it costs: the first page of a user in these ten minutes counts the whole history, by its index alone. It is
counted in pieces, each of which is remembered: a database that gives up after a second does not give up for ever.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cachetools import TLRUCache
from flask import current_app
from sqlalchemy import Connection

from api_service import clock
from api_service.history_reading import EVERYTHING, Filters, count, step

SETTLED: Final = timedelta(minutes=1)
"""After that no entry is added with an earlier moment."""
LIFETIME: Final = 600.0
"""Seconds."""
_MANY: Final = 1000
"""With so many newer entries the remembered moment moves on."""
_PIECE: Final = 250_000
"""Entries that one statement counts."""
_USERS: Final = 10_000
"""Remembered at most, about 2 MB of them."""
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_EXTENSION: Final = "history_totals"


@dataclass(frozen=True, slots=True)
class _Known:
    """So many entries are older than the moment; `ends` by the monotonic clock."""

    moment: datetime
    older: int
    ends: float


class Totals:
    """Remembers for one database; shared by all threads."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = threading.Lock()
        self._known: TLRUCache[int, _Known] = TLRUCache(_USERS, ttu=lambda _, known, __: known.ends, timer=timer)

    def of(self, connection: Connection, user_id: int) -> int:
        """How many entries the user has now."""
        with self._lock:
            known = self._known.get(user_id)
        if known is None:
            known = self._advanced(connection, user_id, _Known(_BEGINNING, 0, self._timer() + LIFETIME))
        newer = count(connection, user_id, Filters(start=known.moment))
        if newer > _MANY:
            self._advanced(connection, user_id, known)
        return known.older + newer

    def _advanced(self, connection: Connection, user_id: int, known: _Known) -> _Known:
        """`known` with the latest moment that can be remembered."""
        last = clock.utc_now() - SETTLED
        if last - known.moment <= SETTLED:
            return known
        while (reached := step(connection, user_id, known.moment, last, _PIECE)) and reached[0] > known.moment:
            known = self._remember(user_id, _Known(reached[0], known.older + reached[1], known.ends))
        rest = count(connection, user_id, Filters(start=known.moment, end=last))
        return self._remember(user_id, _Known(last, known.older + rest, known.ends))

    def _remember(self, user_id: int, known: _Known) -> _Known:
        with self._lock:
            self._known[user_id] = known
        return known


def total(connection: Connection, user_id: int, filters: Filters) -> int:
    """How many of the user's entries the filters leave; with any of them these entries are counted each time."""
    if filters != EVERYTHING:
        return count(connection, user_id, filters)
    totals: Totals = current_app.extensions.setdefault(_EXTENSION, Totals())
    return totals.of(connection, user_id)
