"""The bulkhead in front of the stock client."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from api_service.settings import load
from api_service.stock_clients import StockServiceUnavailableError, UnavailableReason
from api_service.stock_clients.bulkhead import Bulkhead
from api_service.tests.helpers import ScriptedStockClient
from service_kit.deadline import Deadline
from stock_contract import Failure, Quote


class SlowClient(ScriptedStockClient):
    """Answers when it is told to."""

    def __init__(self, quote: Quote) -> None:
        super().__init__(quote)
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        self.entered.release()
        self.go_on.wait(5)
        return super().quotes(symbols, request_id=request_id, deadline=deadline)


def test_one_more_than_the_limit_is_refused_and_a_free_place_is_used_again(apple: Quote) -> None:
    slow = SlowClient(apple)
    bulkhead = Bulkhead(slow, limit=2, patience=0.05)

    def call() -> tuple[Quote | Failure, ...]:
        return bulkhead.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(5))

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(call) for _ in range(2)]
        assert all(slow.entered.acquire(timeout=5) for _ in running)
        with pytest.raises(StockServiceUnavailableError) as caught:
            call()
        assert caught.value.reason is UnavailableReason.OVERLOADED
        slow.go_on.set()
        assert [future.result(5) for future in running] == [(apple,)] * 2
    assert call() == (apple,)


def test_a_burst_of_quick_calls_passes_one_after_the_other(apple: Quote) -> None:
    bulkhead = Bulkhead(ScriptedStockClient(apple), limit=1, patience=5.0)
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(bulkhead.quotes, ["aapl.us"], request_id="r", deadline=Deadline.after(5)) for _ in range(50)
        ]
        assert all(call.result(5) == (apple,) for call in calls)


def test_a_call_that_fails_gives_its_place_back(apple: Quote) -> None:
    client = ScriptedStockClient(apple, answer=StockServiceUnavailableError(UnavailableReason.SERVER))
    bulkhead = Bulkhead(client, limit=1)
    for _ in range(3):
        with pytest.raises(StockServiceUnavailableError) as caught:
            bulkhead.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(5))
        assert caught.value.reason is UnavailableReason.SERVER


@pytest.mark.parametrize(("threads", "calls", "connections"), [(1, 1, 1), (10, 8, 10), (80, 64, 16)])
def test_some_threads_stay_free_for_calls_that_need_no_quote(threads: int, calls: int, connections: int) -> None:
    settings = replace(load({"APP_ENV": "development"}), threads=threads)
    assert (settings.stock_calls, settings.database_connections) == (calls, connections)
