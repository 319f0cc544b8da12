"""When the breaker opens, for how long, and how it closes again."""

import logging
import threading

import pytest

from stock_contract import BreakerState
from stock_service.breaker import MINIMUM_CALLS, OPEN_AT_ONCE, OPEN_SECONDS, TRIAL_LIMIT, WINDOW, Breaker
from stock_service.providers.base import HEALTHY, FailureKind, ProviderError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("stooq", clock)


TIMED_OUT = ProviderError(FailureKind.TIMEOUT)


def call(breaker: Breaker, error: ProviderError | None = None) -> None:
    permit = breaker.admit()
    if error:
        breaker.fail(permit, error)
    else:
        breaker.succeed(permit)


def is_open(breaker: Breaker) -> bool:
    return breaker.state()[0] is BreakerState.OPEN


def open_by_failures(breaker: Breaker) -> None:
    for _ in range(MINIMUM_CALLS):
        call(breaker, TIMED_OUT)


def test_it_opens_when_half_of_the_last_calls_failed_but_not_before_ten(breaker: Breaker) -> None:
    for number in range(9):
        call(breaker, TIMED_OUT if number % 2 else None)
        assert not is_open(breaker)
    call(breaker, TIMED_OUT)

    assert breaker.state() == (BreakerState.OPEN, 15)
    assert breaker.opened == 1


def test_fewer_than_half_do_not_open_it(breaker: Breaker) -> None:
    for _ in range(10):
        call(breaker)
    for _ in range(9):
        call(breaker, TIMED_OUT)
    assert not is_open(breaker)

    call(breaker, TIMED_OUT)
    assert is_open(breaker)


def test_only_the_last_twenty_calls_count(breaker: Breaker) -> None:
    for _ in range(100):
        call(breaker)
    for _ in range(WINDOW // 2 - 1):
        call(breaker, TIMED_OUT)
    assert not is_open(breaker)

    call(breaker, TIMED_OUT)
    assert is_open(breaker)


def test_nobody_is_let_through_while_it_is_open(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += 4.5

    with pytest.raises(ProviderError) as caught:
        breaker.admit()
    assert (caught.value.kind, caught.value.retry_after) == (FailureKind.OUT, 11)


def test_one_trial_is_let_through_and_closes_it(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += OPEN_SECONDS
    assert breaker.state() == (BreakerState.HALF_OPEN, None)

    trial = breaker.admit()
    with pytest.raises(ProviderError):
        breaker.admit()
    breaker.succeed(trial)

    assert breaker.state() == (BreakerState.CLOSED, None)
    call(breaker, TIMED_OUT)
    assert not is_open(breaker), "what was before is forgotten"


def test_of_many_threads_one_gets_the_trial(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += OPEN_SECONDS
    start = threading.Barrier(16)
    admitted = []

    def try_it() -> None:
        start.wait(5)
        try:
            admitted.append(breaker.admit())
        except ProviderError:
            return

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(admitted) == 1


def test_a_failed_trial_opens_it_for_another_period(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += OPEN_SECONDS
    call(breaker, TIMED_OUT)

    assert breaker.state() == (BreakerState.OPEN, 15)
    assert breaker.opened == 1


def test_an_abandoned_trial_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += OPEN_SECONDS
    abandoned = breaker.admit()
    clock.now += TRIAL_LIMIT

    second = breaker.admit()
    breaker.fail(abandoned, ProviderError(FailureKind.RETIRED))
    breaker.succeed(second)

    assert breaker.state() == (BreakerState.CLOSED, None)


def test_a_withdrawn_trial_makes_room_at_once(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.now += OPEN_SECONDS
    breaker.withdraw(breaker.admit())

    assert breaker.state() == (BreakerState.HALF_OPEN, None)
    call(breaker)
    assert breaker.state() == (BreakerState.CLOSED, None)


def test_what_was_begun_before_it_opened_has_no_say_after(breaker: Breaker, clock: Clock) -> None:
    early = [breaker.admit() for _ in range(3)]
    open_by_failures(breaker)

    breaker.succeed(early[0])
    breaker.withdraw(early[1])
    breaker.fail(early[2], ProviderError(FailureKind.RETIRED))

    assert breaker.state() == (BreakerState.OPEN, 15)


@pytest.mark.parametrize(("kind", "seconds"), OPEN_AT_ONCE.items())
def test_some_kinds_open_it_at_once_and_for_minutes(breaker: Breaker, kind: FailureKind, seconds: float) -> None:
    call(breaker, ProviderError(kind))

    assert seconds >= 300
    assert breaker.state() == (BreakerState.OPEN, seconds)


@pytest.mark.parametrize(("told", "seconds"), [(1, 15), (60, 60), (40_000, 40_000), (86_400, 86_400)])
def test_a_rate_limit_is_kept_for_as_long_as_the_provider_says(breaker: Breaker, told: int, seconds: int) -> None:
    call(breaker, ProviderError(FailureKind.RATE_LIMITED, told))

    assert breaker.state() == (BreakerState.OPEN, seconds)


def test_no_healthy_kind_opens_it_at_once() -> None:
    assert not HEALTHY & set(OPEN_AT_ONCE)


def test_changes_are_logged_once(breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    call(breaker, ProviderError(FailureKind.RETIRED))
    for _ in range(3):
        clock.now += 600
        call(breaker, TIMED_OUT)
    clock.now += OPEN_SECONDS
    call(breaker)

    assert [(r.getMessage(), r.levelname, r.provider) for r in caplog.records] == [
        ("breaker.opened", "WARNING", "stooq"),
        ("breaker.closed", "INFO", "stooq"),
    ]
    assert (caplog.records[0].kind, caplog.records[0].seconds) == ("retired", 600)
