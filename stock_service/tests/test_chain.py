"""The chain of providers: order, shares of the time, and which failure is told."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from stock_service.chain import CODES, ProviderChain
from stock_service.providers.base import FailureKind, ProviderError
from stock_service.providers.recorded import Recorded

Make = Callable[..., Any]
OTHER_KINDS = [kind for kind in FailureKind if kind is not FailureKind.NOT_FOUND]


def test_the_table_covers_every_kind_of_failure() -> None:
    assert set(CODES) == set(FailureKind)
    assert [kind for kind, code in CODES.items() if code is ErrorCode.SYMBOL_NOT_FOUND] == [FailureKind.NOT_FOUND]


def test_the_first_quote_wins_and_the_rest_are_not_asked(fake: Make, quote: Quote) -> None:
    first, second, third = fake("first", FailureKind.RETIRED), fake("second", quote), fake("third", quote)

    found = ProviderChain([first, second, third]).find("AAPL.US", Deadline.after(4))

    assert found.source == "second"
    assert (first.asked, second.asked, third.asked) == (["AAPL.US"], ["AAPL.US"], [])


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_no_failure_but_not_found_ends_the_chain(fake: Make, quote: Quote, kind: FailureKind) -> None:
    assert ProviderChain([fake("a", kind), fake("b", quote)]).find("X", Deadline.after(4)).source == "b"


def test_a_trustworthy_not_found_ends_the_chain(fake: Make, quote: Quote) -> None:
    last = fake("last", quote)
    chain = ProviderChain([fake("out", FailureKind.TIMEOUT), fake("sure", FailureKind.NOT_FOUND), last])

    assert chain.find("X", Deadline.after(4)) == Failure(ErrorCode.SYMBOL_NOT_FOUND)
    assert last.asked == []


def test_a_miss_of_a_provider_of_few_symbols_does_not_end_the_chain(fake: Make, quote: Quote) -> None:
    unsure = fake("unsure", FailureKind.NOT_FOUND, not_found_is_final=False)

    assert ProviderChain([unsure, fake("b", quote)]).find("X", Deadline.after(4)).source == "b"


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("order", [1, -1])
def test_an_outage_is_never_told_as_an_unknown_symbol(fake: Make, kind: FailureKind, order: int) -> None:
    providers = [fake("out", kind), Recorded()]

    assert ProviderChain(providers[::order]).find("NOSUCH.US", Deadline.after(4)) == Failure(CODES[kind])


def test_recorded_alone_is_the_whole_world() -> None:
    assert ProviderChain([Recorded()]).find("NOSUCH.US", Deadline.after(4)) == Failure(ErrorCode.SYMBOL_NOT_FOUND)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (
            [ProviderError(FailureKind.RETIRED), ProviderError(FailureKind.TIMEOUT)],
            Failure(ErrorCode.UPSTREAM_TIMEOUT),
        ),
        (
            [ProviderError(FailureKind.RATE_LIMITED, 40_000), ProviderError(FailureKind.TIMEOUT)],
            Failure(ErrorCode.UPSTREAM_TIMEOUT),
        ),
        (
            [ProviderError(FailureKind.RATE_LIMITED, 40_000), ProviderError(FailureKind.RETIRED)],
            Failure(ErrorCode.UPSTREAM_QUOTA, 40_000),
        ),
        (
            [
                ProviderError(FailureKind.RATE_LIMITED),
                ProviderError(FailureKind.RATE_LIMITED, 40_000),
                ProviderError(FailureKind.RATE_LIMITED, 60),
            ],
            Failure(ErrorCode.UPSTREAM_QUOTA, 60),
        ),
        (
            [ProviderError(FailureKind.BLOCKED), ProviderError(FailureKind.MALFORMED)],
            Failure(ErrorCode.UPSTREAM_BAD_DATA),
        ),
    ],
)
def test_the_failure_that_passes_first_is_told(fake: Make, errors: list[ProviderError], told: Failure) -> None:
    for order in (errors, errors[::-1]):
        chain = ProviderChain([fake(str(number), error) for number, error in enumerate(order)])
        assert chain.find("X", Deadline.after(4)) == told


def test_each_provider_gets_an_equal_share_of_what_is_left(fake: Make) -> None:
    providers = [fake(str(number), FailureKind.UNREACHABLE) for number in range(4)]

    ProviderChain(providers).find("X", Deadline.after(4))

    assert [provider.shares[0] for provider in providers] == pytest.approx([1, 4 / 3, 2, 4], abs=0.2)


def test_a_provider_that_takes_all_its_time_leaves_the_last_one_its_turn(fake: Make, quote: Quote) -> None:
    def hang(_symbol: str, deadline: Deadline) -> Quote:
        threading.Event().wait(deadline.remaining())
        raise ProviderError(FailureKind.TIMEOUT)

    last = fake("last", quote)
    started = time.monotonic()

    found = ProviderChain([fake("a", hang), fake("b", hang), last]).find("X", Deadline.after(0.3))

    assert found.source == "last"
    assert last.shares[0] == pytest.approx(0.1, abs=0.09)
    assert time.monotonic() - started < 0.3


def test_nobody_is_asked_when_the_time_is_up(fake: Make, quote: Quote) -> None:
    provider = fake("a", quote)

    assert ProviderChain([provider]).find("X", Deadline.after(0)) == Failure(ErrorCode.UPSTREAM_TIMEOUT)
    assert provider.asked == []


def test_a_defect_in_a_provider_is_not_taken_for_an_outage(fake: Make, quote: Quote) -> None:
    def broken(_symbol: str, _deadline: Deadline) -> Quote:
        raise KeyError("x")

    with pytest.raises(KeyError):
        ProviderChain([fake("a", broken), fake("b", quote)]).find("X", Deadline.after(4))


def test_failures_are_logged_with_their_kind(fake: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    errors = [ProviderError(FailureKind.BLOCKED, detail="a page"), ProviderError(FailureKind.NOT_FOUND)]

    ProviderChain([fake(str(number), error) for number, error in enumerate(errors)]).find("X", Deadline.after(4))

    assert [(r.getMessage(), r.levelname, r.provider, r.kind, r.detail) for r in caplog.records] == [
        ("upstream.failed", "WARNING", "0", "blocked", "a page"),
        ("upstream.failed", "INFO", "1", "not_found", ""),
    ]
