"""One fetch at a time for each key, whatever becomes of it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.single_flight import SingleFlight

TIMED_OUT, FOUND = "timed out", "found"
Outcomes = Mapping[str, str]


class SlowFetch:
    """Takes off when called, and lands when told to."""

    def __init__(self, land: Callable[[Sequence[str]], Outcomes]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.in_the_air = threading.Event()
        self.go_on = threading.Event()
        self._land = land

    def __call__(self, keys: Sequence[str], deadline: Deadline) -> Outcomes:
        self.asked.append(tuple(keys))
        self.in_the_air.set()
        assert self.go_on.wait(5)
        return self._land(keys)


def fly(
    pool: ThreadPoolExecutor, flights: SingleFlight[str, str], fetch: Any, keys: str, seconds: float = 5
) -> Future[Any]:
    return pool.submit(flights.run, keys.split(), Deadline.after(seconds), fetch)


def wait_for_followers(flights: SingleFlight[str, str], key: str, number: int) -> None:
    """Until so many threads wait for the flight."""
    until = time.monotonic() + 5
    while len(flights._flights[key].landed._waiters) < number:
        assert time.monotonic() < until
        threading.Event().wait(0.005)


@pytest.mark.parametrize("outcome", [TIMED_OUT, "failed", FOUND])
def test_all_get_what_came_of_it_failures_too(outcome: str) -> None:
    flights, fetch = SingleFlight[str, str](TIMED_OUT), SlowFetch(lambda keys: dict.fromkeys(keys, outcome))
    with ThreadPoolExecutor(9) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)
        followers = [fly(pool, flights, fetch, "A") for _ in range(8)]
        wait_for_followers(flights, "A", 8)
        fetch.go_on.set()

        assert [task.result() for task in (leader, *followers)] == [{"A": outcome}] * 9
    assert fetch.asked == [("A",)]


def test_a_defect_is_shared_and_nothing_is_left_in_the_air() -> None:
    def broken(_keys: Sequence[str]) -> Outcomes:
        raise KeyError("x")

    flights, fetch = SingleFlight[str, str](TIMED_OUT), SlowFetch(broken)
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)
        follower = fly(pool, flights, fetch, "A")
        wait_for_followers(flights, "A", 1)
        fetch.go_on.set()
        for task in (leader, follower):
            with pytest.raises(KeyError):
                task.result()

    assert flights.run(["A"], Deadline.after(1), lambda keys, _: dict.fromkeys(keys, FOUND)) == {"A": FOUND}


def test_who_has_less_time_leaves_earlier() -> None:
    flights, fetch = SingleFlight[str, str](TIMED_OUT), SlowFetch(lambda keys: dict.fromkeys(keys, FOUND))
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A")
        fetch.in_the_air.wait(5)

        assert fly(pool, flights, fetch, "A", seconds=0.1).result() == {"A": TIMED_OUT}
        assert not leader.done()
        fetch.go_on.set()
        assert leader.result() == {"A": FOUND}


def test_who_has_more_time_than_the_leader_had_tries_again() -> None:
    flights, fetch = SingleFlight[str, str](TIMED_OUT), SlowFetch(lambda keys: dict.fromkeys(keys, TIMED_OUT))
    with ThreadPoolExecutor(2) as pool:
        leader = fly(pool, flights, fetch, "A", seconds=0.5)
        fetch.in_the_air.wait(5)
        patient = fly(pool, flights, lambda keys, _: dict.fromkeys(keys, FOUND), "A", seconds=4)
        wait_for_followers(flights, "A", 1)
        fetch.go_on.set()

        assert leader.result() == {"A": TIMED_OUT}
        assert patient.result() == {"A": FOUND}


def test_batches_that_overlap_ask_for_each_key_once() -> None:
    flights = SingleFlight[str, str](TIMED_OUT)
    first, second = (SlowFetch(lambda keys: dict.fromkeys(keys, FOUND)) for _ in range(2))
    with ThreadPoolExecutor(2) as pool:
        one = fly(pool, flights, first, "A B")
        first.in_the_air.wait(5)
        other = fly(pool, flights, second, "B C")
        second.in_the_air.wait(5)
        second.go_on.set()
        first.go_on.set()

        assert one.result() == {"A": FOUND, "B": FOUND}
        assert other.result() == {"B": FOUND, "C": FOUND}
    assert (first.asked, second.asked) == ([("A", "B")], [("C",)])
