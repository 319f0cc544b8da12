"""What the cache in memory keeps, for how long, and how much of it."""

from dataclasses import replace

import pytest

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from stock_service.cache import MAX_MISSES, MAX_QUOTES, Entry, Lifetimes, MemoryCache

MISS = Failure(ErrorCode.SYMBOL_NOT_FOUND)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> MemoryCache:
    return MemoryCache(Lifetimes(fresh=60, stale=3600, miss=30), clock)


def test_a_quote_is_fresh_then_stale_then_gone(cache: MemoryCache, clock: Clock, quote: Quote) -> None:
    cache.write({"A": quote})

    told = []
    for clock.now in (0, 59.9, 60, 3599.9, 3600):
        told.append(cache.read(["A"]).get("A"))

    fresh, stale = Entry(quote, fresh=True), Entry(quote, fresh=False)
    assert told == [fresh, fresh, stale, stale, None]


def test_without_staleness_a_quote_is_fresh_or_gone(clock: Clock, quote: Quote) -> None:
    cache = MemoryCache(Lifetimes(fresh=60, stale=0), clock)
    cache.write({"A": quote})

    assert cache.read(["A"])["A"].fresh
    clock.now = 60
    assert cache.read(["A"]) == {}


def test_a_miss_is_kept_for_a_shorter_time(cache: MemoryCache, clock: Clock) -> None:
    cache.write({"A": MISS})

    assert cache.read(["A"]) == {"A": Entry(MISS, fresh=True)}
    clock.now = 30
    assert cache.read(["A"]) == {}


def test_the_newer_word_counts(cache: MemoryCache, clock: Clock, quote: Quote) -> None:
    cache.write({"A": quote})
    cache.write({"A": MISS})
    assert cache.read(["A"])["A"].result == MISS
    cache.write({"A": quote})
    assert cache.read(["A"])["A"].result == quote

    cache.write({"A": MISS})
    clock.now = 30
    assert cache.read(["A"]) == {}, "the older quote does not come back"


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.SYMBOL_NOT_FOUND])
def test_outages_are_not_kept(cache: MemoryCache, code: ErrorCode) -> None:
    cache.write({"A": Failure(code)})

    assert cache.read(["A"]) == {}


def test_recorded_quotes_are_not_kept_and_displace_nothing(cache: MemoryCache, quote: Quote) -> None:
    cache.write({"A": quote})
    cache.write({"A": replace(quote, source="recorded"), "B": replace(quote, source="recorded")})

    assert cache.read(["A", "B"]) == {"A": Entry(quote, fresh=True)}


def test_it_does_not_grow_for_ever_and_made_up_codes_drive_no_quote_out(cache: MemoryCache, quote: Quote) -> None:
    cache.write({f"Q{number}": quote for number in range(MAX_QUOTES)})
    cache.write({f"N{number}": MISS for number in range(3 * MAX_MISSES)})
    cache.write({"ONE": quote})

    assert len(cache.read([f"Q{number}" for number in range(MAX_QUOTES)])) == MAX_QUOTES - 1
    assert len(cache.read([f"N{number}" for number in range(3 * MAX_MISSES)])) == MAX_MISSES


def test_what_another_thread_has_just_kept_is_not_fetched_again(cache: MemoryCache, quote: Quote) -> None:
    asked: list[list[str]] = []

    def fetch(symbols: object, _deadline: Deadline) -> dict[str, Quote]:
        asked.append(list(symbols))  # type: ignore[call-overload]
        return {"B": quote}

    cache.write({"A": quote})

    assert cache.load(["A", "B"], Deadline.after(1), fetch) == {"A": quote, "B": quote}
    assert asked == [["B"]]
