"""Log-ins at the same time. Where the clock stands still, it is so that a wait does not end on a slow machine."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from api_service.auth import throttle
from api_service.auth.throttle import TooManyAttemptsError
from api_service.tests.helpers import Api, CountingHasher, HandSetClock
from service_kit import time_budget

pytestmark = pytest.mark.usefixtures("quick_hasher", "long_turns")


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once take their time on a slow machine; who gives up is the business of test_throttle.py."""
    monkeypatch.setattr(time_budget, "LOGIN_TURN", 20.0)


def at_once(number: int, call: Callable[[int], object]) -> list[Any]:
    start, results = threading.Barrier(number, timeout=10), []

    def run(n: int) -> None:
        start.wait()
        results.append(call(n))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


@pytest.mark.usefixtures("hand_set_clock")
def test_guesses_at_the_same_time_share_five_free_tries(api: Api, quick_hasher: CountingHasher) -> None:
    statuses = at_once(25, lambda _: api.log_in("johndoe", "wrong").status_code)
    assert statuses == [401] * 5 + [429] * 20
    assert quick_hasher.work == 5


@pytest.mark.usefixtures("hand_set_clock")
def test_guesses_at_the_same_time_share_the_tries_of_their_address(api: Api, quick_hasher: CountingHasher) -> None:
    assert {api.log_in(f"nobody{n}", "wrong").status_code for n in range(45)} == {401}
    statuses = at_once(20, lambda n: api.log_in(f"other{n}", "wrong").status_code)
    assert statuses == [401] * 5 + [429] * 15
    assert quick_hasher.work == 50


@pytest.mark.usefixtures("hand_set_clock")
def test_attempts_that_begin_at_the_same_time_in_many_processes_share_the_tries_too(app: Flask) -> None:
    """What keeps the turns of one process is left out here: only the database stands between them."""

    def begin(_: int) -> bool:
        with app.test_request_context():
            try:
                throttle._begin("johndoe", 1)
            except TooManyAttemptsError:
                return False
            return True

    assert at_once(20, begin) == [False] * 15 + [True] * 5


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns far more often, so that a race that can be lost is lost."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_many_with_the_right_password_at_the_same_time_all_get_in(api: Api) -> None:
    """By the real clock: who comes to the rows second must not have read it first."""
    people = [("johndoe", "john"), ("jane", "jane"), ("admin", "admin")]
    for _ in range(5):
        assert at_once(30, lambda n: api.log_in(*people[n % 3]).status_code) == [200] * 30


def test_a_wait_that_ended_while_others_held_the_rows_is_over(
    api: Api, hand_set_clock: HandSetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = throttle._lock

    def lock_in_half_a_second(*args: Any) -> Any:
        row = lock(*args)
        hand_set_clock.move(0.5)
        return row

    assert {api.log_in("johndoe", "wrong").status_code for _ in range(5)} == {401}
    monkeypatch.setattr(throttle, "_lock", lock_in_half_a_second)
    assert api.log_in("johndoe", "john").status_code == 200


def test_a_process_whose_clock_is_behind_sees_no_wait_where_there_is_none(
    api: Api, hand_set_clock: HandSetClock
) -> None:
    hand_set_clock.move(0.5)
    assert api.log_in("johndoe", "wrong").status_code == 401
    hand_set_clock.move(-0.5)
    assert api.log_in("jane", "jane").status_code == 200


def test_a_process_whose_clock_is_behind_waits_no_longer_than_the_others(
    api: Api, hand_set_clock: HandSetClock
) -> None:
    hand_set_clock.move(60)
    assert {api.log_in("johndoe", "wrong").status_code for _ in range(5)} == {401}
    hand_set_clock.move(-60)
    assert api.log_in("johndoe", "john").headers["Retry-After"] == "1"
