"""One fetch at a time for each symbol, whatever becomes of it."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from stock_service.cache import Results
from stock_service.flights import SingleFlight

TIMED_OUT = Failure(ErrorCode.UPSTREAM_TIMEOUT)


class SlowFetch:
    """Takes off when called, and lands when told to."""

    def __init__(self, land: Callable[[Sequence[str]], Results]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.in_the_air = threading.Event()
        self.go_on = threading.Event()
        self._land = land

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> Results:
        self.asked.append(tuple(symbols))
        self.in_the_air.set()
        assert self.go_on.wait(5)
        return self._land(symbols)


def fly(pool: ThreadPoolExecutor, flights: SingleFlight, fetch: Any, symbols: str, seconds: float = 5) -> Future[Any]:
    return pool.submit(flights.run, symbols.split(), Deadline.after(seconds), fetch)


def wait_for_followers(flights: SingleFlight, symbol: str, number: int) -> None:
    """Until so many threads wait for the flight."""
    until = time.monotonic() + 5
    while len(flights._flights[symbol].landed._waiters) < number:
        assert time.monotonic() < until
        threading.Event().wait(0.005)


@pytest.mark.parametrize("result", [TIMED_OUT, Failure(ErrorCode.UPSTREAM_ERROR), None])
def test_all_get_what_came_of_it_failures_too(quote: Quote, result: Failure | None) -> None:
    flights, fetch = SingleFlight(), SlowFetch(lambda symbols: dict.fromkeys(symbols, result or quote))
    with ThreadPoolExecutor(9) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)
        followers = [fly(pool, flights, fetch, "A") for _ in range(8)]
        wait_for_followers(flights, "A", 8)
        fetch.go_on.set()

        assert [task.result() for task in (leader, *followers)] == [{"A": result or quote}] * 9
    assert fetch.asked == [("A",)]


def test_a_defect_is_shared_and_nothing_is_left_in_the_air(quote: Quote) -> None:
    def broken(_symbols: Sequence[str]) -> Results:
        raise KeyError("x")

    flights, fetch = SingleFlight(), SlowFetch(broken)
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)
        follower = fly(pool, flights, fetch, "A")
        wait_for_followers(flights, "A", 1)
        fetch.go_on.set()
        for task in (leader, follower):
            with pytest.raises(KeyError):
                task.result()

    assert flights.run(["A"], Deadline.after(1), lambda symbols, _: dict.fromkeys(symbols, quote)) == {"A": quote}


def test_who_has_less_time_leaves_earlier(quote: Quote) -> None:
    flights, fetch = SingleFlight(), SlowFetch(lambda symbols: dict.fromkeys(symbols, quote))
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)

        assert fly(pool, flights, fetch, "A", seconds=0.1).result() == {"A": TIMED_OUT}
        assert not leader.done()
        fetch.go_on.set()
        assert leader.result() == {"A": quote}


def test_who_has_more_time_than_the_leader_had_tries_again(quote: Quote) -> None:
    flights, fetch = SingleFlight(), SlowFetch(lambda symbols: dict.fromkeys(symbols, TIMED_OUT))
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A", seconds=0.5)
        fetch.in_the_air.wait(5)
        patient = fly(pool, flights, lambda symbols, _: dict.fromkeys(symbols, quote), "A", seconds=4)
        wait_for_followers(flights, "A", 1)
        fetch.go_on.set()

        assert leader.result() == {"A": TIMED_OUT}
        assert patient.result() == {"A": quote}


def test_batches_that_overlap_ask_for_each_symbol_once(quote: Quote) -> None:
    flights = SingleFlight()
    first, second = (SlowFetch(lambda symbols: dict.fromkeys(symbols, quote)) for _ in range(2))
    with ThreadPoolExecutor(2) as pool:
        one = fly(pool, flights, first, "A B")
        first.in_the_air.wait(5)
        other = fly(pool, flights, second, "B C")
        second.in_the_air.wait(5)
        second.go_on.set()
        first.go_on.set()

        assert one.result() == {"A": quote, "B": quote}
        assert other.result() == {"B": quote, "C": quote}
    assert (first.asked, second.asked) == ([("A", "B")], [("C",)])
