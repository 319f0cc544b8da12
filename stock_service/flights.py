"""Single flight: of all threads that want a symbol at the same time one fetches it, and all get what came of it."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Final

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure
from stock_service.cache import Fetch, Result, Results

WORTH_ANOTHER: Final = 0.5
"""Seconds more than the leader had, with which it makes sense to try what ran out of time under the leader."""

TIMED_OUT: Final = Failure(ErrorCode.UPSTREAM_TIMEOUT)


@dataclass(frozen=True, slots=True)
class _Flight:
    deadline: Deadline
    landed: Future[Result] = field(default_factory=Future)


class SingleFlight:
    """Who comes first leads, who comes later follows, each with its own deadline; a failure is shared too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def run(self, symbols: Sequence[str], deadline: Deadline, fetch: Fetch) -> Results:
        """One result for each symbol.

        First come the symbols that this thread leads, all in one `fetch`; only then does it wait for others, so no
        two threads ever wait for each other.
        """
        results: Results = {}
        left = list(symbols)
        while left:
            mine, others = self._board(left, deadline)
            if mine:
                results.update(self._lead(mine, deadline, fetch))
            followed = {symbol: _follow(flight, deadline) for symbol, flight in others.items()}
            left = [symbol for symbol, result in followed.items() if result is None]
            results.update({symbol: result for symbol, result in followed.items() if result is not None})
        return results

    def _board(self, symbols: Sequence[str], deadline: Deadline) -> tuple[dict[str, _Flight], dict[str, _Flight]]:
        """The flights that this thread has to lead, and those that are in the air already."""
        with self._lock:
            others = {symbol: self._flights[symbol] for symbol in symbols if symbol in self._flights}
            mine = {symbol: _Flight(deadline) for symbol in symbols if symbol not in others}
            self._flights.update(mine)
        return mine, others

    def _lead(self, mine: dict[str, _Flight], deadline: Deadline, fetch: Fetch) -> Results:
        try:
            fetched = dict(fetch(list(mine), deadline))
        except BaseException as error:
            self._land(mine)
            for flight in mine.values():
                flight.landed.set_exception(error)
            raise
        self._land(mine)
        for symbol, flight in mine.items():
            flight.landed.set_result(fetched[symbol])
        return fetched

    def _land(self, mine: dict[str, _Flight]) -> None:
        with self._lock:
            for symbol in mine:
                del self._flights[symbol]


def _follow(flight: _Flight, deadline: Deadline) -> Result | None:
    """What came of another thread's flight; None when it ran out of time and this thread has clearly more."""
    if not wait([flight.landed], deadline.remaining()).done:
        return TIMED_OUT
    result = flight.landed.result()
    return None if result == TIMED_OUT and deadline.at - flight.deadline.at > WORTH_ANOTHER else result
