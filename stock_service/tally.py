"""Counts what came of the calls to one provider, for the people who look after it."""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from stock_service.providers.base import FailureKind


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start of the process; times in UTC."""

    successes: int
    failures_by_kind: dict[str, int]
    last_success: datetime | None
    last_failure: datetime | None
    last_failure_kind: str | None


class Tally:
    """Shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._successes = 0
        self._failures: Counter[str] = Counter()
        self._last_success: datetime | None = None
        self._last_failure: datetime | None = None
        self._last_failure_kind: str | None = None

    def succeeded(self) -> None:
        with self._lock:
            self._successes += 1
            self._last_success = datetime.now(UTC)

    def failed(self, kind: FailureKind) -> None:
        with self._lock:
            self._failures[str(kind)] += 1
            self._last_failure = datetime.now(UTC)
            self._last_failure_kind = str(kind)

    def counts(self) -> Counts:
        with self._lock:
            return Counts(
                self._successes,
                dict(self._failures),
                self._last_success,
                self._last_failure,
                self._last_failure_kind,
            )
