"""A circuit breaker: a provider that keeps failing is left alone for a while, then one call tries whether it is back.

docs/adr/0006-breaker.md says why it is our own and how the figures were chosen.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import BreakerState
from stock_service import metrics
from stock_service.providers.base import MAX_RETRY_AFTER, FailureKind, ProviderError

_log = logging.getLogger(__name__)

WINDOW: Final = 20
MINIMUM_CALLS: Final = 10
OPEN_SECONDS: Final = 15.0
TRIAL_LIMIT: Final = UPSTREAM_TOTAL + 1.0
"""Seconds after which a trial is taken for abandoned: no call takes longer than the budget of all providers."""

OPEN_AT_ONCE: Final[Mapping[FailureKind, float]] = {
    FailureKind.RETIRED: 600.0,
    FailureKind.BLOCKED: 600.0,
    FailureKind.UNAUTHORISED: 600.0,
    FailureKind.RATE_LIMITED: 300.0,
}
"""Seconds, by the kinds that do not pass from one call to the next and that asking again makes worse.

For `rate_limited` it is the figure when the provider does not say how long to wait.
"""


class Breaker:
    """Of one provider; shared by all threads. The lock is held for a few instructions, never during a call.

    A call takes a permit and hands it back with what came of it. Each change of state makes the permits before it
    void, so what was begun under another state has no say in this one.
    """

    def __init__(self, provider: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._trial = False
        self._permit = 0
        self._shut_until: float | None = None
        self._out = metrics.BREAKER_OPEN.labels(provider)
        self._out.set(0)
        self.opened = 0
        """How often it has opened."""

    def admit(self) -> int:
        """A permit for one call.

        :raises ProviderError: out; `retry_after` says for how many seconds.
        """
        with self._lock:
            if self._shut_until is None:
                return self._permit
            left = self._shut_until - self._clock()
            if left > 0:
                raise ProviderError(FailureKind.OUT, math.ceil(left))
            self._trial = True
            self._shut_until = self._clock() + TRIAL_LIMIT  # by then an abandoned trial makes room for another
            self._permit += 1
            return self._permit

    def succeed(self, permit: int) -> None:
        """The provider answered, be it that it has no such symbol."""
        with self._lock:
            if permit != self._permit:
                return
            self._failed.append(False)
            was_open = self._shut_until is not None
            if was_open:
                self._close()
        if was_open:
            _log.info("breaker.closed", extra={"provider": self._provider})

    def fail(self, permit: int, error: ProviderError) -> None:
        """The provider failed."""
        with self._lock:
            if permit != self._permit:
                return
            self._failed.append(True)
            was_open = self._shut_until is not None
            seconds = _seconds_at_once(error) or (OPEN_SECONDS if was_open or self._fails_too_often() else 0.0)
            if seconds:
                self._open(seconds)
                self.opened += not was_open
                metrics.BREAKER_OPENINGS.labels(self._provider).inc(not was_open)
        if seconds and not was_open:
            fields = {"provider": self._provider, "kind": str(error.kind), "seconds": seconds}
            _log.warning("breaker.opened", extra=fields)

    def withdraw(self, permit: int) -> None:
        """The call says nothing about the provider; if it was the trial, the next call is one."""
        with self._lock:
            if permit == self._permit and self._trial:
                self._trial = False
                self._shut_until = self._clock()

    def state(self) -> tuple[BreakerState, int | None]:
        """The state, and when open the whole seconds until a trial."""
        with self._lock:
            if self._shut_until is None:
                return BreakerState.CLOSED, None
            left = self._shut_until - self._clock()
            if self._trial or left <= 0:
                return BreakerState.HALF_OPEN, None
            return BreakerState.OPEN, math.ceil(left)

    def _fails_too_often(self) -> bool:
        return len(self._failed) >= MINIMUM_CALLS and 2 * sum(self._failed) >= len(self._failed)

    def _open(self, seconds: float) -> None:
        self._shut_until = self._clock() + seconds
        self._out.set(1)
        self._trial = False
        self._permit += 1
        self._failed.clear()

    def _close(self) -> None:
        self._shut_until = None
        self._out.set(0)
        self._trial = False
        self._permit += 1
        self._failed.clear()


def _seconds_at_once(error: ProviderError) -> float:
    """For how long this failure alone opens the breaker; 0 when it does not."""
    if error.kind is FailureKind.RATE_LIMITED and error.retry_after is not None:
        return min(max(error.retry_after, OPEN_SECONDS), MAX_RETRY_AFTER)
    return OPEN_AT_ONCE.get(error.kind, 0.0)
