"""The lookup of several symbols: side by side, in order, inside one budget, under one request id."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.request_ids import bind_request_id, current_request_id
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import ErrorCode, Failure, Quote
from stock_service.chain import ProviderChain
from stock_service.lookup import QuoteLookup, build_lookup
from stock_service.providers.base import FailureKind, ProviderError
from stock_service.settings import load

Make = Callable[..., Any]


def test_results_keep_the_order_of_the_request_and_repeats_are_asked_once(fake: Make, quote: Quote) -> None:
    def by_name(symbol: str, _deadline: Deadline) -> Quote:
        if symbol.startswith("NOSUCH"):
            raise ProviderError(FailureKind.NOT_FOUND)
        return replace(quote, symbol=symbol)

    provider = fake("a", by_name)
    symbols = ["msft.us", "nosuch.us", "AAPL.US", "aapl.us", "Msft.us"]

    results = QuoteLookup(ProviderChain([provider]))(symbols, Deadline.after(6))

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
        results = QuoteLookup(ProviderChain([fake("a", meet)]))(["a", "b", "c"], Deadline.after(6))

    assert results == (quote, quote, quote)
    assert ids == ["abc", "abc", "abc"]


@pytest.mark.parametrize(("caller", "budget"), [(6.0, UPSTREAM_TOTAL), (0.5, 0.5)])
def test_the_budget_is_the_smaller_of_the_callers_and_our_own(
    fake: Make, quote: Quote, caller: float, budget: float
) -> None:
    provider = fake("a", quote)

    QuoteLookup(ProviderChain([provider]))(["a"], Deadline.after(caller))

    assert provider.shares == pytest.approx([budget], abs=0.2)


def test_many_slow_symbols_end_with_the_deadline_each_with_a_result(fake: Make) -> None:
    def hang(_symbol: str, deadline: Deadline) -> Quote:
        threading.Event().wait(deadline.remaining())
        raise ProviderError(FailureKind.TIMEOUT)

    deadline = Deadline.after(0.2)
    results = QuoteLookup(ProviderChain([fake("a", hang)]))([f"s{number}" for number in range(50)], deadline)

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
