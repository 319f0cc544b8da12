"""Keeps what the providers said for a while, in this process: bounded, fresh for a time, and stale for some more.

docs/adr/0005-quote-cache.md says what is kept and why; `shared_cache` is the same for several processes.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from cachetools import TTLCache

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from stock_service.providers.recorded import Recorded

MAX_QUOTES: Final = 10_000
MAX_MISSES: Final = 1_000
"""A separate bound, so that a flood of made-up codes cannot drive the quotes out."""

Result: TypeAlias = Quote | Failure
Results: TypeAlias = dict[str, Result]
Fetch: TypeAlias = Callable[[Sequence[str], Deadline], Mapping[str, Result]]
"""Asks the providers for some symbols; one result for each."""

TIMED_OUT: Final = Failure(ErrorCode.UPSTREAM_TIMEOUT)
"""What comes of a symbol that could not be fetched in time."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """In seconds."""

    fresh: float = 60.0
    """A quote is served without asking anybody."""
    stale: float = 3600.0
    """Since it was stored, a quote may be served when every provider fails."""
    miss: float = 30.0
    """That there is no such symbol is believed."""

    def of(self, result: Result) -> float:
        """For how long this is kept; 0 when it is not."""
        if isinstance(result, Quote):
            return max(self.fresh, self.stale) if is_live(result) else 0.0
        return self.miss if result.code is ErrorCode.SYMBOL_NOT_FOUND else 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Something kept; what is not fresh is a quote to fall back on."""

    result: Result
    fresh: bool


class Cache(Protocol):
    def read(self, symbols: Sequence[str]) -> dict[str, Entry]:
        """What is kept of these symbols."""

    def load(self, symbols: Sequence[str], deadline: Deadline, fetch: Fetch) -> Results:
        """Fetch what is not fresh, and keep it. No two threads ask for the same symbol at a time."""


def is_live(quote: Quote) -> bool:
    """Tell a quote of a provider from a recorded one, which is at hand anyway and must not pass for a newer one."""
    return quote.source != Recorded.name


class MemoryCache:
    """The `Cache` of one process; shared by all threads. Counts on `clock`, never on the time of day."""

    def __init__(self, lifetimes: Lifetimes, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetimes = lifetimes
        self._clock = clock
        self._lock = threading.Lock()
        kept = max(lifetimes.fresh, lifetimes.stale)
        self._quotes: TTLCache[str, tuple[Quote, float]] = TTLCache(MAX_QUOTES, kept, timer=clock)
        self._misses: TTLCache[str, Failure] = TTLCache(MAX_MISSES, lifetimes.miss, timer=clock)

    def read(self, symbols: Sequence[str]) -> dict[str, Entry]:
        with self._lock:
            found = {symbol: self._entry(symbol) for symbol in symbols}
        return {symbol: entry for symbol, entry in found.items() if entry}

    def load(self, symbols: Sequence[str], deadline: Deadline, fetch: Fetch) -> Results:
        return load_missing(self.read(symbols), symbols, deadline, fetch, self.write)

    def write(self, results: Mapping[str, Result]) -> None:
        """Keep what is worth keeping; the newer word counts."""
        with self._lock:
            for symbol, result in results.items():
                if not self._lifetimes.of(result):
                    continue
                self._quotes.pop(symbol, None)
                self._misses.pop(symbol, None)
                if isinstance(result, Quote):
                    self._quotes[symbol] = (result, self._clock())
                else:
                    self._misses[symbol] = result

    def _entry(self, symbol: str) -> Entry | None:
        if miss := self._misses.get(symbol):
            return Entry(miss, fresh=True)
        if not (kept := self._quotes.get(symbol)):
            return None
        quote, stored_at = kept
        return Entry(quote, fresh=self._clock() - stored_at < self._lifetimes.fresh)


def load_missing(
    known: Mapping[str, Entry],
    symbols: Sequence[str],
    deadline: Deadline,
    fetch: Fetch,
    write: Callable[[Mapping[str, Result]], None],
) -> Results:
    """Fetch and write those of `symbols` that are not known freshly."""
    results = {symbol: known[symbol].result for symbol in symbols if symbol in known and known[symbol].fresh}
    if missing := [symbol for symbol in symbols if symbol not in results]:
        fetched = fetch(missing, deadline)
        write(fetched)
        results.update(fetched)
    return results
