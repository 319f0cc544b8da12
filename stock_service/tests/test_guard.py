"""A provider behind its breaker: what counts against it, and what is told about it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service_kit.deadline import Deadline
from stock_contract import BreakerState, Quote
from stock_service.breaker import MINIMUM_CALLS
from stock_service.guard import GuardedProvider
from stock_service.providers.base import HEALTHY, FailureKind, ProviderError

Make = Callable[..., Any]


def ask(guard: GuardedProvider, symbols: str = "X", seconds: float = 4.0) -> dict[str, Any]:
    return dict(guard.ask(symbols.split(), Deadline.after(seconds)))


@pytest.mark.parametrize("kind", sorted(HEALTHY))
def test_healthy_answers_do_not_open_the_breaker(fake: Make, kind: FailureKind) -> None:
    guard = GuardedProvider(fake("a", kind))
    for _ in range(2 * MINIMUM_CALLS):
        assert ask(guard)["X"].kind is kind

    status = guard.status()
    assert (status.breaker, status.successes, status.failures) == (BreakerState.CLOSED, 2 * MINIMUM_CALLS, 0)


def test_a_batch_in_which_anything_was_answered_is_a_success(fake: Make, quote: Quote) -> None:
    def half(symbol: str, _deadline: Deadline) -> Quote:
        if symbol == "BAD":
            raise ProviderError(FailureKind.MALFORMED)
        return quote

    guard = GuardedProvider(fake("a", half, batch=50))
    ask(guard, "BAD GOOD")

    assert (guard.status().successes, guard.status().failures) == (1, 0)


def test_what_is_told_about_a_provider(fake: Make, quote: Quote) -> None:
    provider = fake("a", quote)
    guard = GuardedProvider(provider, clock=lambda: 0.0)
    ask(guard)
    provider.outcome = FailureKind.TIMEOUT
    ask(guard)
    provider.outcome = FailureKind.BLOCKED
    ask(guard)
    ask(guard)

    status = guard.status()

    assert (status.name, status.enabled, status.breaker, status.retry_in) == ("a", True, BreakerState.OPEN, 600)
    assert (status.successes, status.failures) == (1, 2)
    assert status.failures_by_kind == {"timeout": 1, "blocked": 1}
    assert status.last_failure_kind == "blocked"
    for moment in (status.last_success, status.last_failure):
        assert moment
        assert (datetime.now(UTC) - moment).total_seconds() < 5


def test_a_defect_counts_neither_way_and_does_not_keep_the_trial(fake: Make, quote: Quote) -> None:
    now = [0.0]
    provider = fake("a", FailureKind.RETIRED)
    guard = GuardedProvider(provider, clock=lambda: now[0])
    ask(guard)
    now[0] = 600.0

    def broken(_symbol: str, _deadline: Deadline) -> Quote:
        raise KeyError("x")

    provider.outcome = broken
    with pytest.raises(KeyError):
        ask(guard)
    provider.outcome = quote

    assert isinstance(ask(guard)["X"], Quote)
    assert guard.status().breaker is BreakerState.CLOSED


def test_who_had_hardly_any_time_is_not_to_blame(fake: Make) -> None:
    hurried, given_time = (GuardedProvider(fake("a", FailureKind.TIMEOUT)) for _ in range(2))
    for _ in range(MINIMUM_CALLS):
        ask(hurried, seconds=0.4)
        ask(given_time, seconds=0.9)

    assert hurried.status().breaker is BreakerState.CLOSED
    assert given_time.status().breaker is BreakerState.OPEN


def test_nobody_is_asked_when_the_time_is_up(fake: Make, quote: Quote) -> None:
    provider = fake("a", quote)

    assert ask(GuardedProvider(provider), seconds=0)["X"].kind is FailureKind.TIMEOUT
    assert provider.asked == []


def test_one_line_is_logged_for_a_request_that_failed(fake: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = ProviderError(FailureKind.TIMEOUT, detail="ReadTimeout")
    ask(GuardedProvider(fake("a", error, batch=50)), "A B C")

    (record,) = caplog.records
    assert (record.getMessage(), record.symbol, record.symbols) == ("upstream.failed", "A", 3)


def test_a_batch_that_meets_the_trial_gets_all_its_quotes_when_the_provider_is_back(fake: Make, quote: Quote) -> None:
    now = 0.0
    provider = fake("a", FailureKind.BLOCKED)
    guard = GuardedProvider(provider, clock=lambda: now)
    ask(guard)
    assert guard.status().breaker is BreakerState.OPEN
    now += 600
    takes_a_moment = threading.Event()

    def answer(symbol: str, _deadline: Deadline) -> Quote:
        takes_a_moment.wait(0.05)
        return replace(quote, symbol=symbol)

    provider.outcome = answer

    outcomes = ask(guard, "A B C D E F")

    assert [getattr(outcome, "symbol", outcome) for outcome in outcomes.values()] == list("ABCDEF")
    assert guard.status().breaker is BreakerState.CLOSED
