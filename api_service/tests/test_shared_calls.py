"""Calls for the same symbols that are under way at the same time share one answer."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.shared import SharedCalls
from api_service.tests.helpers import ScriptedStockClient
from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from tests.waiting import eventually

CALLERS = 8


class HeldClient(ScriptedStockClient):
    """Answers when it is told to."""

    def __init__(self, quote: Quote, answer: Quote | Failure | Exception | None = None) -> None:
        super().__init__(quote, answer)
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        self.entered.release()
        assert self.go_on.wait(5)
        return super().quotes(symbols, request_id=request_id, deadline=deadline)


def ask(shared: SharedCalls, *symbols: str, seconds: float = 5.0) -> tuple[Quote | Failure, ...]:
    return shared.quotes(symbols, request_id="r", deadline=Deadline.after(seconds))


def following(shared: SharedCalls, *symbols: str) -> int:
    """How many wait for what another one asks for."""
    flight = shared._flights._flights.get(symbols)
    return len(flight.landed._waiters) if flight else 0


def together(client: HeldClient, call: Callable[[SharedCalls], Any]) -> list[Future[Any]]:
    """One call that has reached the client, and others that wait for it; all have ended when this returns."""
    shared = SharedCalls(client)
    with ThreadPoolExecutor(CALLERS) as pool:
        first = pool.submit(call, shared)
        assert client.entered.acquire(timeout=5)
        others = [pool.submit(call, shared) for _ in range(CALLERS - 1)]
        eventually(lambda: following(shared, "AAPL.US") == CALLERS - 1)
        client.go_on.set()
    return [first, *others]


@pytest.mark.parametrize("answer", [None, Failure(ErrorCode.UPSTREAM_ERROR)])
def test_one_call_goes_through_and_all_get_its_answer(apple: Quote, answer: Failure | None) -> None:
    client = HeldClient(apple, answer)
    calls = together(client, lambda shared: ask(shared, "aapl.us"))
    assert [call.result() for call in calls] == [(answer or apple,)] * CALLERS
    assert len(client.calls) == 1


def test_the_same_code_in_other_letters_is_the_same(apple: Quote) -> None:
    client, codes = HeldClient(apple), iter(["aapl.us", *["AAPL.us"] * (CALLERS - 1)])
    calls = together(client, lambda shared: ask(shared, next(codes)))
    assert {call.result() for call in calls} == {(apple,)}
    assert [symbols for symbols, _, _ in client.calls] == [("aapl.us",)]


@pytest.mark.parametrize(
    "error",
    [
        StockServiceUnavailableError(UnavailableReason.SERVER),
        StockServiceFailedError(Failure(ErrorCode.INTERNAL)),
        StockServiceTimeoutError(),
        BadStockReplyError("a quote of another symbol"),
    ],
    ids=repr,
)
def test_everybody_gets_an_error_of_its_own(apple: Quote, error: StockServiceError) -> None:
    client = HeldClient(apple, error)
    errors = [call.exception() for call in together(client, lambda shared: ask(shared, "aapl.us"))]
    assert [(type(each), str(each), vars(each)) for each in errors if each] == [
        (type(error), str(error), vars(error))
    ] * CALLERS
    assert len({id(each) for each in errors}) == CALLERS
    assert len(client.calls) == 1


def test_other_symbols_and_another_order_go_their_own_way(apple: Quote) -> None:
    client = HeldClient(apple)
    shared, lists = SharedCalls(client), [("aapl.us",), ("aapl.us", "msft.us"), ("msft.us", "aapl.us")]
    with ThreadPoolExecutor(len(lists)) as pool:
        calls = [pool.submit(ask, shared, *symbols) for symbols in lists]
        assert all(client.entered.acquire(timeout=5) for _ in lists)
        client.go_on.set()
        symbols = [tuple(quote.symbol.lower() for quote in call.result()) for call in calls]
    assert symbols == lists


def test_what_was_answered_is_not_kept(apple: Quote) -> None:
    client = ScriptedStockClient(apple)
    shared = SharedCalls(client)
    assert ask(shared, "aapl.us") == ask(shared, "aapl.us")
    assert len(client.calls) == 2


def test_who_has_clearly_more_time_asks_again(apple: Quote) -> None:
    client = HeldClient(apple, StockServiceTimeoutError())
    shared = SharedCalls(client)
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(ask, shared, "aapl.us", seconds=1.0)
        assert client.entered.acquire(timeout=5)
        patient = pool.submit(ask, shared, "aapl.us", seconds=5.0)
        eventually(lambda: following(shared, "AAPL.US") == 1)
        client.go_on.set()
        for call in (hasty, patient):
            with pytest.raises(StockServiceTimeoutError):
                call.result()
    assert len(client.calls) == 2
