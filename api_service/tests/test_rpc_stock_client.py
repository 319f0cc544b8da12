import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from amqp_rpc import errors
from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.rpc import RpcStockClient
from api_service.tests.helpers import Golden
from service_kit.deadline import Deadline
from stock_contract import (
    BreakerState,
    ErrorCode,
    Failure,
    ProviderStatus,
    ProviderStatusRequest,
    Quote,
    QuoteRequest,
    decode_request,
)


class FakeRpcClient:
    """Answers every call with the same bytes, or raises the same error."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.calls: list[tuple[bytes, Deadline]] = []
        self.headers: list[dict[str, str]] = []
        self.closed = 0

    def call(self, body: bytes, *, deadline: Deadline, headers: Mapping[str, str]) -> bytes:
        self.calls.append((body, deadline))
        self.headers.append(dict(headers))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def reachable(self, patience: Deadline) -> bool:
        return not isinstance(self.answer, Exception)

    def wait_until_connected(self, deadline: Deadline) -> bool:
        self.calls.append((b"", deadline))
        return False

    def close(self) -> None:
        self.closed += 1


def test_a_process_that_is_about_to_serve_connects_first() -> None:
    made: list[FakeRpcClient] = []

    def connect() -> FakeRpcClient:
        made.append(FakeRpcClient(b""))
        return made[-1]

    deadline = Deadline.after(3)
    RpcStockClient(connect).prepare(deadline)
    assert [each.calls for each in made] == [[(b"", deadline)]]


def ask(answer: bytes | Exception, *symbols: str) -> tuple[Quote | Failure, ...]:
    client = RpcStockClient(lambda: FakeRpcClient(answer))
    return client.quotes(symbols or ("aapl.us",), request_id="r1", deadline=Deadline.after(6))


def ask_status(answer: bytes | Exception) -> tuple[ProviderStatus, ...]:
    client = RpcStockClient(lambda: FakeRpcClient(answer))
    return client.provider_status(request_id="r1", deadline=Deadline.after(6))


def changed(golden: Golden, **changes: Any) -> bytes:
    message = json.loads(golden("reply_quote"))
    message["results"][0]["quote"] |= changes
    return json.dumps(message).encode()


def test_a_quote_arrives_as_it_was_sent(golden: Golden, apple: Quote) -> None:
    assert ask(golden("reply_quote")) == (apple,)


def test_a_batch_keeps_its_order(golden: Golden, apple: Quote) -> None:
    assert ask(golden("reply_batch"), "aapl.us", "nosuch.us", "^spx") == (
        apple,
        Failure(ErrorCode.SYMBOL_NOT_FOUND),
        Failure(ErrorCode.UPSTREAM_QUOTA, 3600),
    )


def test_the_request_carries_the_id_the_symbols_and_the_deadline(golden: Golden) -> None:
    rpc, deadline = FakeRpcClient(golden("reply_batch")), Deadline.after(6)
    RpcStockClient(lambda: rpc).quotes(["aapl.us", "b", "c"], request_id="r1", deadline=deadline)
    ((body, sent_deadline),) = rpc.calls
    assert decode_request(body) == QuoteRequest(request_id="r1", symbols=("aapl.us", "b", "c"))
    assert sent_deadline is deadline


def test_a_failure_of_one_symbol_is_its_result(golden: Golden) -> None:
    assert ask(golden("reply_not_found")) == (Failure(ErrorCode.SYMBOL_NOT_FOUND),)


@pytest.mark.parametrize("symbols", [("a",), ("a", "b")])
def test_a_failure_of_the_request_is_none_of_its_symbols(golden: Golden, symbols: tuple[str, ...]) -> None:
    with pytest.raises(StockServiceFailedError) as caught:
        ask(golden("reply_unsupported_version"), *symbols)
    assert caught.value.failure == Failure(ErrorCode.UNSUPPORTED_VERSION)


def test_a_server_that_failed_is_a_failure_of_the_request() -> None:
    with pytest.raises(StockServiceFailedError) as caught:
        ask(errors.RemoteError("x"), "a", "b")
    assert caught.value.failure == Failure(ErrorCode.INTERNAL)


def test_the_state_of_the_providers_is_asked_for_with_the_id_and_the_deadline(golden: Golden) -> None:
    rpc, deadline = FakeRpcClient(golden("reply_provider_status")), Deadline.after(6)
    stooq, yahoo, twelvedata = RpcStockClient(lambda: rpc).provider_status(request_id="r1", deadline=deadline)
    ((body, sent_deadline),) = rpc.calls
    assert decode_request(body) == ProviderStatusRequest(request_id="r1")
    assert sent_deadline is deadline
    assert (stooq.name, stooq.breaker, stooq.retry_in) == ("stooq", BreakerState.OPEN, 540)
    assert stooq.failures_by_kind == {"retired": 2, "timeout": 1}
    assert (yahoo.name, yahoo.successes, twelvedata.enabled) == ("yahoo", 41, False)


def test_a_worker_that_knows_nothing_of_providers_has_failed() -> None:
    with pytest.raises(StockServiceFailedError) as caught:
        ask_status(b'{"version": 1, "failure": {"code": "bad_request", "retry_after": null}}')
    assert caught.value.failure == Failure(ErrorCode.BAD_REQUEST)


@pytest.mark.parametrize(
    "changes",
    [{"name": "two\r\nlines"}, {"breaker": "ajar"}, {"last_failure_kind": "\0"}, {"failures_by_kind": {"<b>": 1}}],
    ids=str,
)
def test_a_state_that_cannot_be_true_is_a_bad_reply(golden: Golden, changes: dict[str, Any]) -> None:
    message = json.loads(golden("reply_provider_status"))
    message["providers"][0] |= changes
    with pytest.raises(BadStockReplyError):
        ask_status(json.dumps(message).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"version": 99, "results": []}',
        b'{"version": 1}',
        b'{"version": 1, "results": []}',
        b'{"version": 1, "results": [{}]}',
    ],
)
def test_a_reply_that_cannot_be_read_is_a_bad_reply(body: Any) -> None:
    with pytest.raises(BadStockReplyError):
        ask(body)
    with pytest.raises(BadStockReplyError):
        ask_status(body)


def test_a_reply_of_5_mb_is_a_bad_one_although_it_could_be_read(golden: Golden) -> None:
    with pytest.raises(BadStockReplyError):
        ask(golden("reply_quote") + b" " * 5_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "MSFT.US"},
        {"symbol": "aapl.us"},
        {"close": "NaN"},
        {"close": "-1"},
        {"close": "1e999"},
        {"close": None},
        {"volume": -1},
        {"volume": 2**63},
        {"as_of": "2026-02-30T00:00:00Z"},
        {"as_of": "yesterday"},
        {"source": "two\r\nSet-Cookie: x"},
        {"source": "ä"},
        {"source": ""},
        {"name": "\0"},
        {"name": "a\nb"},
        {"name": "\ud800"},
        {"currency": "\0"},
        {"stale": 7},
    ],
    ids=str,
)
def test_a_quote_that_does_not_fit_the_question_is_a_bad_reply(golden: Golden, changes: dict[str, Any]) -> None:
    with pytest.raises(BadStockReplyError):
        ask(changed(golden, **changes))


def test_a_result_too_many_or_too_few_is_a_bad_reply(golden: Golden) -> None:
    with pytest.raises(BadStockReplyError):
        ask(golden("reply_quote"), "aapl.us", "msft.us")
    with pytest.raises(BadStockReplyError):
        ask(golden("reply_batch"), "aapl.us", "nosuch.us")


def test_fields_of_a_newer_sender_are_ignored(golden: Golden, apple: Quote) -> None:
    assert ask(changed(golden, mood="bullish")) == (apple,)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.BrokerUnavailableError("x"), UnavailableReason.BROKER),
        (errors.ConnectionLostError("x"), UnavailableReason.BROKER),
        (errors.ClientClosedError("x"), UnavailableReason.BROKER),
        (errors.NoServerError("x"), UnavailableReason.SERVER),
        (errors.OverloadedError("x"), UnavailableReason.OVERLOADED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nobody_to_ask_says_who_is_away(error: Exception, reason: UnavailableReason) -> None:
    with pytest.raises(StockServiceUnavailableError) as caught:
        ask(error)
    assert caught.value.reason is reason


def test_a_passed_deadline_is_a_time_out() -> None:
    with pytest.raises(StockServiceTimeoutError):
        ask(errors.CallTimeoutError("x"))


def test_every_error_of_the_rpc_core_is_translated() -> None:
    def leaves(kind: type[Exception]) -> list[type[Exception]]:
        return [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)] or [kind]

    for kind in leaves(errors.RpcError):
        for call in (ask, ask_status):
            with pytest.raises(StockServiceError):
                call(kind("x"))


def test_all_threads_share_one_connection_made_on_first_use(golden: Golden) -> None:
    made = []

    def connect() -> FakeRpcClient:
        time.sleep(0.02)  # long enough for the other threads to come
        made.append(FakeRpcClient(golden("reply_quote")))
        return made[-1]

    client = RpcStockClient(connect)
    assert made == []
    start = threading.Barrier(8, timeout=5)

    def use() -> None:
        start.wait()
        client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(made[0].calls) == 8


def test_a_forked_process_makes_a_connection_of_its_own(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def connect() -> FakeRpcClient:
        made.append(FakeRpcClient(golden("reply_quote")))
        return made[-1]

    client = RpcStockClient(connect)
    client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))
    assert len(made) == 2
    client.close()
    assert [connection.closed for connection in made] == [0, 1]


def test_closing_in_a_forked_process_leaves_the_parents_open(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    rpc = FakeRpcClient(golden("reply_quote"))
    client = RpcStockClient(lambda: rpc)
    client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    client.close()
    assert rpc.closed == 0


def test_closing_is_safe_to_repeat_and_the_next_call_connects_again(golden: Golden) -> None:
    made = []

    def connect() -> FakeRpcClient:
        made.append(FakeRpcClient(golden("reply_quote")))
        return made[-1]

    client = RpcStockClient(connect)
    client.close()
    client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))
    client.close()
    client.close()
    assert [connection.closed for connection in made] == [1]
    client.quotes(["aapl.us"], request_id="r", deadline=Deadline.after(1))
    assert len(made) == 2
