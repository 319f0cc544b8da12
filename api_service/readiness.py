"""Whether this process can serve: looked at for those who send it requests, at most once a second.

The database and its tables decide. The stock service is told of and decides nothing: when the broker is away it is so
for every replica, and without any nobody could even log in or read a history; docs/adr/0020 says more.
"""

import threading
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, cast

from flask import Flask, current_app

from api_service.database import DatabaseUnavailableError
from api_service.schema import is_migrated
from api_service.services import services
from api_service.transaction_deadline import bounded_by
from service_kit import time_budget
from service_kit.deadline import Deadline

_EXTENSION: Final = "readiness"
_KEPT_FOR: Final = 1.0
"""Seconds for which a look is good for all who ask: several probe every few seconds."""


class State(StrEnum):
    OK = "ok"
    UNAVAILABLE = "unavailable"
    OUTDATED = "outdated"
    """The schema lacks migrations that this code needs."""
    UNKNOWN = "unknown"
    """The schema, while the database is away."""


Checks = Mapping[str, State]
_DECIDING: Final = ("database", "schema")
_NOBODY_LOOKED: Final[Checks] = dict.fromkeys((*_DECIDING, "stock_service"), State.UNAVAILABLE)


class Readiness:
    """Looks with `look`, one thread at a time; who asks meanwhile waits for what it finds."""

    def __init__(self, look: Callable[[], Checks], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._found = _NOBODY_LOOKED

    def checks(self) -> Checks:
        """What was found within the last second, or is found now; a look that takes too long is no good news."""
        if not self._lock.acquire(timeout=time_budget.PROBE):
            return _NOBODY_LOOKED
        try:
            if self._clock() - self._looked_at >= _KEPT_FOR:
                self._found = self._look()
                self._looked_at = self._clock()
            return self._found
        finally:
            self._lock.release()


def init_app(app: Flask) -> None:
    app.extensions[_EXTENSION] = Readiness(look)


def checks() -> Checks:
    """Those of the application that serves this request."""
    return cast("Readiness", current_app.extensions[_EXTENSION]).checks()


def is_ready(found: Checks) -> bool:
    return all(found[name] is State.OK for name in _DECIDING)


def look() -> Checks:
    """Ask the database, and see whether there is a way to the stock service."""
    database, schema = _look_at_database()
    reached = services().stock_client.reachable(Deadline.after(time_budget.READY_STOCK_SERVICE))
    return {"database": database, "schema": schema, "stock_service": State.OK if reached else State.UNAVAILABLE}


def _look_at_database() -> tuple[State, State]:
    """Of the database and of its schema."""
    try:
        with bounded_by(Deadline.after(time_budget.READY_DATABASE)):
            return State.OK, State.OK if is_migrated() else State.OUTDATED
    except DatabaseUnavailableError:
        return State.UNAVAILABLE, State.UNKNOWN
