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
MISSES = {FailureKind.NOT_FOUND, FailureKind.NOT_COVERED}
OTHER_KINDS = [kind for kind in FailureKind if kind not in MISSES]


def find_one(chain: ProviderChain, symbol: str, seconds: float = 4) -> Any:
    return chain.find([symbol], Deadline.after(seconds))[symbol]


def test_the_table_covers_every_kind_of_failure() -> None:
    assert set(CODES) == set(FailureKind)
    assert [kind for kind, code in CODES.items() if code is ErrorCode.SYMBOL_NOT_FOUND] == [
        FailureKind.NOT_COVERED,
        FailureKind.NOT_FOUND,
    ]


def test_the_first_quote_wins_and_the_rest_are_not_asked(fake: Make, quote: Quote) -> None:
    first, second, third = fake("first", FailureKind.RETIRED), fake("second", quote), fake("third", quote)

    found = find_one(ProviderChain([first, second, third]), "AAPL.US", 4)

    assert found.source == "second"
    assert (first.asked, second.asked, third.asked) == (["AAPL.US"], ["AAPL.US"], [])


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_no_failure_but_not_found_ends_the_chain(fake: Make, quote: Quote, kind: FailureKind) -> None:
    assert find_one(ProviderChain([fake("a", kind), fake("b", quote)]), "X", 4).source == "b"


def test_a_trustworthy_not_found_ends_the_chain(fake: Make, quote: Quote) -> None:
    last = fake("last", quote)
    chain = ProviderChain([fake("out", FailureKind.TIMEOUT), fake("sure", FailureKind.NOT_FOUND), last])

    assert find_one(chain, "X", 4) == Failure(ErrorCode.SYMBOL_NOT_FOUND)
    assert last.asked == []


def test_a_miss_of_a_provider_of_few_symbols_does_not_end_the_chain(fake: Make, quote: Quote) -> None:
    unsure = fake("unsure", FailureKind.NOT_COVERED)

    assert find_one(ProviderChain([unsure, fake("b", quote)]), "X", 4).source == "b"


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("order", [1, -1])
def test_an_outage_is_never_told_as_an_unknown_symbol(fake: Make, kind: FailureKind, order: int) -> None:
    providers = [fake("out", kind), Recorded()]

    assert find_one(ProviderChain(providers[::order]), "NOSUCH.US", 4) == Failure(CODES[kind])


def test_recorded_alone_is_the_whole_world() -> None:
    assert find_one(ProviderChain([Recorded()]), "NOSUCH.US", 4) == Failure(ErrorCode.SYMBOL_NOT_FOUND)


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
        assert find_one(chain, "X", 4) == told


def test_each_provider_gets_an_equal_share_of_what_is_left(fake: Make) -> None:
    providers = [fake(str(number), FailureKind.UNREACHABLE) for number in range(4)]

    find_one(ProviderChain(providers), "X", 4)

    assert [provider.shares[0] for provider in providers] == pytest.approx([1, 4 / 3, 2, 4], abs=0.2)


def test_a_provider_that_takes_all_its_time_leaves_the_last_one_its_turn(fake: Make, quote: Quote) -> None:
    def hang(_symbol: str, deadline: Deadline) -> Quote:
        threading.Event().wait(deadline.remaining())
        raise ProviderError(FailureKind.TIMEOUT)

    last = fake("last", quote)
    started = time.monotonic()

    found = find_one(ProviderChain([fake("a", hang), fake("b", hang), last]), "X", 0.3)

    assert found.source == "last"
    assert last.shares[0] == pytest.approx(0.1, abs=0.09)
    assert time.monotonic() - started < 0.3


def test_nobody_is_asked_when_the_time_is_up(fake: Make, quote: Quote) -> None:
    provider = fake("a", quote)

    assert find_one(ProviderChain([provider]), "X", 0) == Failure(ErrorCode.UPSTREAM_TIMEOUT)
    assert provider.asked == []


def test_a_defect_in_a_provider_is_not_taken_for_an_outage(fake: Make, quote: Quote) -> None:
    def broken(_symbol: str, _deadline: Deadline) -> Quote:
        raise KeyError("x")

    with pytest.raises(KeyError):
        find_one(ProviderChain([fake("a", broken), fake("b", quote)]), "X", 4)


def test_failures_are_logged_with_their_kind(fake: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    errors = [ProviderError(FailureKind.BLOCKED, detail="a page"), ProviderError(FailureKind.NOT_FOUND)]

    find_one(ProviderChain([fake(str(number), error) for number, error in enumerate(errors)]), "X", 4)

    failed = [record for record in caplog.records if record.getMessage() == "upstream.failed"]
    assert [(r.levelname, r.provider, r.kind, r.detail) for r in failed] == [
        ("WARNING", "0", "blocked", "a page"),
        ("INFO", "1", "not_found", ""),
    ]


def find_all(chain: ProviderChain, symbols: str) -> dict[str, Any]:
    found = chain.find(symbols.split(), Deadline.after(4))
    return {symbol: getattr(result, "source", result) for symbol, result in found.items()}


def only(symbols: str) -> Callable[[str], bool]:
    return lambda symbol: symbol in symbols.split()


def test_each_provider_is_asked_for_what_is_still_missing(fake: Make, quote: Quote) -> None:
    def has(symbols: str) -> Callable[[str, Deadline], Quote]:
        def find(symbol: str, _deadline: Deadline) -> Quote:
            if symbol == "NOSUCH":
                raise ProviderError(FailureKind.NOT_FOUND)
            if symbol not in symbols.split():
                raise ProviderError(FailureKind.MALFORMED)
            return quote

        return find

    first, second = fake("first", has("A C"), batch=50), fake("second", has("B"), batch=50)
    chain = ProviderChain([first, second])

    results = chain.find(["A", "B", "NOSUCH", "C", "D"], Deadline.after(4))

    assert list(results) == ["A", "B", "NOSUCH", "C", "D"]
    assert results["NOSUCH"] == Failure(ErrorCode.SYMBOL_NOT_FOUND)
    assert results["D"] == Failure(ErrorCode.UPSTREAM_BAD_DATA)
    assert (first.requests, second.requests) == ([("A", "B", "NOSUCH", "C", "D")], [("B", "D")])


def test_who_does_not_cover_a_symbol_is_not_asked_and_hides_no_failure(fake: Make, quote: Quote) -> None:
    out, part = fake("out", FailureKind.TIMEOUT), fake("part", quote, covers=only("A"))
    chain = ProviderChain([out, part])

    assert find_all(chain, "A B") == {"A": "part", "B": Failure(ErrorCode.UPSTREAM_TIMEOUT)}
    assert part.asked == ["A"]


def test_what_nobody_covers_is_not_found(fake: Make, quote: Quote) -> None:
    providers = [fake(name, quote, covers=only("A")) for name in ("a", "b")]

    assert find_one(ProviderChain(providers), "B") == Failure(ErrorCode.SYMBOL_NOT_FOUND)


def test_what_only_a_provider_that_is_out_could_know_is_an_outage(fake: Make, quote: Quote) -> None:
    out, part = fake("out", ProviderError(FailureKind.RETIRED)), fake("part", quote, covers=only("A"))
    chain = ProviderChain([out, part])
    find_one(chain, "B")

    told = find_one(chain, "B")

    assert told == Failure(ErrorCode.UPSTREAM_UNAVAILABLE, 600)
    assert out.asked == ["B"], "its breaker is open"


def test_an_unsure_answer_is_no_miss(fake: Make) -> None:
    assert find_one(ProviderChain([fake("a", FailureKind.UNSURE)]), "X") == Failure(ErrorCode.UPSTREAM_BAD_DATA)


def test_when_every_breaker_is_open_the_soonest_return_is_told(fake: Make) -> None:
    slow = fake("slow", ProviderError(FailureKind.RATE_LIMITED, 7200))
    soon = fake("soon", ProviderError(FailureKind.RATE_LIMITED, 90))
    chain = ProviderChain([slow, soon], clock=lambda: 0.0)
    find_one(chain, "X")

    assert find_one(chain, "X") == Failure(ErrorCode.UPSTREAM_UNAVAILABLE, 90)
    assert (slow.asked, soon.asked) == (["X"], ["X"])


def test_many_symbols_of_a_provider_of_one_each_are_asked_side_by_side(fake: Make, quote: Quote) -> None:
    together = threading.Barrier(3, timeout=5)

    def meet(_symbol: str, _deadline: Deadline) -> Quote:
        together.wait()
        return quote

    assert set(find_all(ProviderChain([fake("a", meet)]), "A B C").values()) == {quote.source}
