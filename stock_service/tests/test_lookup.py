"""The lookup of several symbols: side by side, in order, inside one budget, under one request id."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.request_ids import bind_request_id, current_request_id
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import ErrorCode, Failure, Quote
from stock_service.cache import Lifetimes, MemoryCache
from stock_service.chain import ProviderChain
from stock_service.lookup import QuoteLookup, build_lookup
from stock_service.providers.base import FailureKind, ProviderError
from stock_service.settings import load

Make = Callable[..., Any]


class Clock:
    """Of the breakers and the cache; deadlines go by the real one."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lookup_in(*providers: Any, clock: Callable[[], float] = time.monotonic) -> QuoteLookup:
    return QuoteLookup(ProviderChain(providers, clock), MemoryCache(Lifetimes(fresh=60, stale=3600), clock))


def one(lookup: QuoteLookup, seconds: float = 6, symbol: str = "aapl.us") -> Any:
    (result,) = lookup([symbol], Deadline.after(seconds))
    return result


def test_results_keep_the_order_of_the_request_and_repeats_are_asked_once(fake: Make, quote: Quote) -> None:
    def by_name(symbol: str, _deadline: Deadline) -> Quote:
        if symbol.startswith("NOSUCH"):
            raise ProviderError(FailureKind.NOT_FOUND)
        return replace(quote, symbol=symbol)

    provider = fake("a", by_name)
    symbols = ["msft.us", "nosuch.us", "AAPL.US", "aapl.us", "Msft.us"]

    results = lookup_in(provider)(symbols, Deadline.after(6))

    assert [getattr(result, "symbol", None) for result in results] == [
        "MSFT.US",
        None,
        "AAPL.US",
        "AAPL.US",
        "MSFT.US",
    ]
    assert results[1] == Failure(ErrorCode.SYMBOL_NOT_FOUND)
    assert sorted(provider.asked) == ["AAPL.US", "MSFT.US", "NOSUCH.US"]


def test_symbols_are_looked_up_side_by_side_with_the_request_id(fake: Make, quote: Quote) -> None:
    together = threading.Barrier(3, timeout=5)
    ids = []

    def meet(_symbol: str, _deadline: Deadline) -> Quote:
        together.wait()
        ids.append(current_request_id())
        return quote

    with bind_request_id("abc"):
        results = lookup_in(fake("a", meet))(["a", "b", "c"], Deadline.after(6))

    served = replace(quote, fresh_until=quote.fetched_at + timedelta(seconds=60))
    assert results == (served, served, served)
    assert ids == ["abc", "abc", "abc"]


@pytest.mark.parametrize(("caller", "budget"), [(6.0, UPSTREAM_TOTAL), (0.5, 0.5)])
def test_the_budget_is_the_smaller_of_the_callers_and_our_own(
    fake: Make, quote: Quote, caller: float, budget: float
) -> None:
    provider = fake("a", quote)

    lookup_in(provider)(["a"], Deadline.after(caller))

    assert provider.shares == pytest.approx([budget], abs=0.2)


def test_many_slow_symbols_end_with_the_deadline_each_with_a_result(fake: Make) -> None:
    def hang(_symbol: str, deadline: Deadline) -> Quote:
        threading.Event().wait(deadline.remaining())
        raise ProviderError(FailureKind.TIMEOUT)

    deadline = Deadline.after(0.2)
    results = lookup_in(fake("a", hang))([f"s{number}" for number in range(50)], deadline)

    assert results == (Failure(ErrorCode.UPSTREAM_TIMEOUT),) * 50
    assert deadline.at + 0.5 > Deadline.after(0).at


def test_the_chain_is_built_from_the_settings() -> None:
    lookup = build_lookup(load({"QUOTE_PROVIDERS": "recorded"}))

    found, missed = lookup(["aapl.us", "nosuch.us"], Deadline.after(1))

    assert found.source == "recorded"
    assert missed == Failure(ErrorCode.SYMBOL_NOT_FOUND)


def test_when_stooq_is_out_recorded_answers_for_what_it_has(servers: Any) -> None:
    server = servers.answering(servers.reply(b"", 404))
    lookup = build_lookup(load({"QUOTE_PROVIDERS": "stooq,recorded", "STOOQ_URL": server.url}))

    found, missed = lookup(["aapl.us", "nosuch.us"], Deadline.after(4))

    assert found.source == "recorded"
    assert missed == Failure(ErrorCode.UPSTREAM_ERROR)
    assert [head.splitlines()[0] for head in server.heads] == [
        b"GET /q/l/?s=aapl.us+nosuch.us&f=sd2t2ohlcvn&h&e=csv HTTP/1.1"
    ]


def test_a_quote_is_served_from_the_cache_until_its_time_is_up(fake: Make, quote: Quote, clock: Clock) -> None:
    provider = fake("a", quote)
    lookup = lookup_in(provider, clock=clock)

    first = one(lookup)
    clock.now += 59
    assert one(lookup, symbol="AAPL.us") is first
    clock.now += 1
    one(lookup)

    assert provider.asked == ["AAPL.US"] * 2


def test_a_miss_is_believed_for_half_a_minute(fake: Make, clock: Clock) -> None:
    provider = fake("a", FailureKind.NOT_FOUND)
    lookup = lookup_in(provider, clock=clock)

    for moment in (0, 29, 30):
        clock.now = 1000.0 + moment
        assert one(lookup) == Failure(ErrorCode.SYMBOL_NOT_FOUND)

    assert len(provider.asked) == 2


def test_no_other_failure_is_kept(fake: Make, quote: Quote) -> None:
    provider = fake("a", FailureKind.TIMEOUT)
    lookup = lookup_in(provider)
    assert one(lookup) == Failure(ErrorCode.UPSTREAM_TIMEOUT)

    provider.outcome = quote

    assert one(lookup).source == "a"


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind not in {"not_found", "not_covered"}])
def test_when_all_fail_the_last_quote_is_served_and_marked(
    fake: Make, quote: Quote, clock: Clock, kind: FailureKind
) -> None:
    provider = fake("a", quote)
    lookup = lookup_in(provider, clock=clock)
    fresh = one(lookup)
    provider.outcome = kind

    clock.now += 3599
    assert one(lookup) == replace(fresh, stale=True, fresh_until=None)
    assert one(lookup).fetched_at == fresh.fetched_at
    clock.now += 1
    assert isinstance(one(lookup), Failure)


def test_a_provider_that_is_back_is_noticed_within_a_breaker_period(fake: Make, quote: Quote, clock: Clock) -> None:
    provider = fake("a", quote)
    lookup = lookup_in(provider, clock=clock)
    one(lookup)
    clock.now += 60
    provider.outcome = FailureKind.UNREACHABLE
    for _ in range(20):
        assert one(lookup).stale
    assert lookup.status()[0].retry_in == 15
    provider.outcome = quote

    assert one(lookup).stale
    clock.now += 15
    assert not one(lookup).stale


def test_a_symbol_that_is_gone_for_certain_is_not_served_stale(fake: Make, quote: Quote, clock: Clock) -> None:
    provider = fake("a", quote)
    lookup = lookup_in(provider, clock=clock)
    one(lookup)
    clock.now += 60
    provider.outcome = FailureKind.NOT_FOUND

    assert one(lookup) == Failure(ErrorCode.SYMBOL_NOT_FOUND)


def test_a_recorded_quote_does_not_displace_a_stale_one_of_today(fake: Make, quote: Quote, clock: Clock) -> None:
    live, recorded = fake("live", quote), fake("recorded", quote)
    lookup = lookup_in(live, recorded, clock=clock)
    one(lookup)
    live.outcome = FailureKind.TIMEOUT
    clock.now += 3599

    assert (one(lookup).source, one(lookup).stale) == ("live", True)
    clock.now += 1
    assert (one(lookup).source, one(lookup).stale) == ("recorded", False)


def test_a_recorded_quote_is_not_kept(fake: Make, quote: Quote) -> None:
    live, recorded = fake("live", FailureKind.TIMEOUT), fake("recorded", quote)
    lookup = lookup_in(live, recorded)
    assert one(lookup).source == "recorded"

    live.outcome = quote

    assert one(lookup).source == "live"


def test_only_what_is_not_known_is_asked_for(fake: Make, quote: Quote) -> None:
    provider = fake("a", quote, batch=50)
    lookup = lookup_in(provider)
    lookup(["a", "b"], Deadline.after(6))

    results = lookup(["c", "a", "d", "b"], Deadline.after(6))

    assert [getattr(result, "symbol", None) for result in results] == ["C", "A", "D", "B"]
    assert provider.requests == [("A", "B"), ("C", "D")]


def test_two_hundred_callers_of_one_symbol_cause_one_request(servers: Any, samples: Any) -> None:
    server = servers.answering(servers.reply((samples / "stooq/ok_aapl.csv").read_bytes()))
    lookup = build_lookup(load({"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": server.url}))
    start = threading.Barrier(200)

    def ask() -> Any:
        start.wait(10)
        return one(lookup)

    with ThreadPoolExecutor(200) as pool:
        results = [task.result() for task in [pool.submit(ask) for _ in range(200)]]
    assert {getattr(result, "source", result) for result in results} == {"stooq"}
    assert len(server.heads) == 1

    with ThreadPoolExecutor(200) as pool:
        assert {task.result().source for task in [pool.submit(one, lookup) for _ in range(200)]} == {"stooq"}
    assert len(server.heads) == 1


def test_a_batch_of_fifty_is_one_request_to_stooq(servers: Any) -> None:
    header = "Symbol,Date,Time,Open,High,Low,Close,Volume,Name"
    good = [f"S{number}.US,2021-11-12,22:00:10,1,2,1,1.5,7,S" for number in range(40)]
    unknown = [f"N{number}.US" + ",N/D" * 7 + f",N{number}.US" for number in range(10)]
    table = "\r\n".join([header, *good, *unknown, ""]).encode()
    server = servers.answering(servers.reply(table))
    lookup = build_lookup(load({"STOOQ_URL": server.url}))
    symbols = [f"s{number}.us" for number in range(40)] + [f"n{number}.us" for number in range(10)]
    symbols = symbols[::3] + symbols[1::3] + symbols[2::3]

    results = lookup(symbols, Deadline.after(6))

    assert [getattr(result, "symbol", "").lower() or None for result in results] == [
        symbol if symbol.startswith("s") else None for symbol in symbols
    ]
    assert [result for result in results if isinstance(result, Failure)] == [Failure(ErrorCode.SYMBOL_NOT_FOUND)] * 10
    assert len(server.heads) == 1


def test_the_state_of_every_provider_is_told_those_of_the_chain_first() -> None:
    lookup = build_lookup(load({"QUOTE_PROVIDERS": "cboe,recorded"}))
    lookup(["aapl.us"], Deadline.after(0))

    assert [(status.name, status.enabled) for status in lookup.status()] == [
        ("cboe", True),
        ("recorded", True),
        ("stooq", False),
        ("yahoo", False),
        ("twelvedata", False),
    ]
