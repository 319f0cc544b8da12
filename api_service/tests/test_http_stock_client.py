import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.http import HttpStockClient
from api_service.tests.helpers import Action, Golden
from service_kit.deadline import Deadline
from stock_contract import (
    MAX_SYMBOLS_PER_REQUEST,
    BreakerState,
    ErrorCode,
    Failure,
    ProviderStatus,
    Quote,
    QuoteReply,
    encode_reply,
)

Handle = Callable[[BaseHTTPRequestHandler], object]


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # the default of 5 refuses some of many that come at once
    daemon_threads = True


class StandIn:
    """A stock service on a free port: `handle` writes the answer to each request; requests are remembered."""

    def __init__(self, handle: Handle) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connections: set[Any] = set()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.requests.append((self.path, dict(self.headers)))
                stand_in.connections.add(self.client_address)
                handle(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def serving() -> Action:
    @contextmanager
    def serve(handle: Handle) -> Iterator[tuple[HttpStockClient, StandIn]]:
        stand_in = StandIn(handle)
        thread = threading.Thread(target=stand_in.server.serve_forever, args=(0.01,))
        thread.start()
        client = HttpStockClient(stand_in.url + "/")
        try:
            yield client, stand_in
        finally:
            client.close()
            stand_in.server.shutdown()
            stand_in.server.server_close()
            thread.join()

    return serve


def answer(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Handle:
    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return handle


def problem(status: int, **members: Any) -> Handle:
    body = json.dumps({"type": "/problems/x", "title": "x", "status": status, "detail": "x.", **members}).encode()
    return answer(status, body, "application/problem+json")


def raw(*parts: bytes) -> Handle:
    """Write bytes as they are, with a pause between two parts, and close."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        for n, part in enumerate(parts):
            time.sleep(0.1 if n else 0)
            try:
                handler.wfile.write(part)
            except OSError:
                break
        handler.close_connection = True

    return handle


def ask(client: HttpStockClient, *symbols: str, seconds: float = 6.0) -> tuple[Quote | Failure, ...]:
    return client.quotes(symbols or ("aapl.us",), request_id="r1", deadline=Deadline.after(seconds))


def ask_status(client: HttpStockClient) -> tuple[ProviderStatus, ...]:
    return client.provider_status(request_id="r1", deadline=Deadline.after(6.0))


def test_a_quote_arrives_as_it_was_sent(serving: Action, golden: Golden, apple: Quote) -> None:
    with serving(answer(200, golden("quote"))) as (client, stand_in):
        assert ask(client) == (apple,)
    ((path, headers),) = stand_in.requests
    assert path == "/api/v1/stock?stock_code=aapl.us"
    assert headers["X-Request-ID"] == "r1"
    assert 5000 < int(headers["X-Budget-Ms"]) <= 6000
    assert headers["Accept-Encoding"] == "identity"


def test_symbols_are_encoded(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("quote"))) as (client, stand_in), pytest.raises(BadStockReplyError):
        ask(client, "^a=b")
    assert stand_in.requests[0][0] == "/api/v1/stock?stock_code=%5Ea%3Db"


def test_the_connection_is_kept(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("quote"))) as (client, stand_in):
        for _ in range(3):
            ask(client)
    assert len(stand_in.connections) == 1


def test_several_symbols_are_one_request_and_answered_in_order(serving: Action, golden: Golden, apple: Quote) -> None:
    with serving(answer(200, golden("reply_batch"))) as (client, stand_in):
        assert ask(client, "aapl.us", "nosuch.us", "^spx") == (
            apple,
            Failure(ErrorCode.SYMBOL_NOT_FOUND),
            Failure(ErrorCode.UPSTREAM_QUOTA, 3600),
        )
    ((path, headers),) = stand_in.requests
    assert path == "/api/v1/quotes?symbols=aapl.us%2Cnosuch.us%2C%5Espx"
    assert headers["X-Request-ID"] == "r1"
    assert 5000 < int(headers["X-Budget-Ms"]) <= 6000


def test_the_largest_batch_that_the_contract_allows_arrives(serving: Action, apple: Quote) -> None:
    largest = replace(apple, symbol="A" * 20, name="\N{DISGUISED FACE}" * 200, open=Decimal("999999999999.9999999999"))
    results = (largest,) * MAX_SYMBOLS_PER_REQUEST
    with serving(answer(200, encode_reply(QuoteReply(results)))) as (client, _):
        assert ask(client, *["a" * 20] * MAX_SYMBOLS_PER_REQUEST) == results


def test_a_batch_that_is_not_served_has_failed_as_a_whole(serving: Action) -> None:
    with (
        serving(problem(500, code="internal")) as (client, _),
        pytest.raises(StockServiceFailedError) as caught,
    ):
        ask(client, "aapl.us", "msft.us")
    assert caught.value.failure == Failure(ErrorCode.INTERNAL)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"version": 2, "results": []}',
        b'{"version": 1, "results": []}',
        b'{"version": 1, "results": [{}, {}]}',
    ],
)
def test_a_batch_that_does_not_fit_the_question_is_a_bad_reply(serving: Action, body: bytes) -> None:
    with serving(answer(200, body)) as (client, _), pytest.raises(BadStockReplyError):
        ask(client, "aapl.us", "msft.us")


def test_the_state_of_the_providers_is_asked_for(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("reply_provider_status"))) as (client, stand_in):
        stooq, yahoo, twelvedata = ask_status(client)
    ((path, headers),) = stand_in.requests
    assert (path, headers["X-Request-ID"]) == ("/api/v1/providers", "r1")
    assert (stooq.breaker, stooq.retry_in, yahoo.successes, twelvedata.enabled) == (BreakerState.OPEN, 540, 41, False)


def test_a_service_that_cannot_tell_the_state_has_failed(serving: Action) -> None:
    with serving(problem(400, code="bad_request")) as (client, _), pytest.raises(StockServiceFailedError):
        ask_status(client)
    with serving(problem(404)) as (client, _), pytest.raises(BadStockReplyError):
        ask_status(client)


@pytest.mark.parametrize(
    ("status", "members", "failure"),
    [
        (404, {"code": "symbol_not_found", "retry_after": None}, Failure(ErrorCode.SYMBOL_NOT_FOUND)),
        (503, {"code": "upstream_quota", "retry_after": 3600}, Failure(ErrorCode.UPSTREAM_QUOTA, 3600)),
        (502, {"code": "upstream_error"}, Failure(ErrorCode.UPSTREAM_ERROR)),
        (500, {"code": "of-a-newer-version"}, Failure(ErrorCode.INTERNAL)),
    ],
)
def test_a_problem_with_a_code_is_that_failure(
    serving: Action, status: int, members: dict[str, Any], failure: Failure
) -> None:
    with serving(problem(status, **members)) as (client, _):
        assert ask(client) == (failure,)


@pytest.mark.parametrize(
    "handle",
    [
        answer(200, b""),
        answer(200, b"<html>"),
        answer(200, b"[]"),
        answer(200, b"{}"),
        answer(200, b"[" * 60_000),
        answer(200, b"\xff"),
        answer(404, b'{"title": "no code"}'),
        answer(500, b"Internal Server Error"),
        answer(302, b"", Location="http://127.0.0.1:9/"),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=["empty", "html", "list", "no fields", "nested", "not utf-8", "no code", "plain 500", "redirect",
         "not http", "cut short", "bad chunk"],
)  # fmt: skip
def test_what_is_no_answer_is_a_bad_reply(serving: Action, handle: Handle) -> None:
    with serving(handle) as (client, stand_in), pytest.raises(BadStockReplyError):
        ask(client)
    assert len(stand_in.requests) == 1


def test_a_body_that_is_too_large_is_a_bad_reply(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("quote").ljust(300_000))) as (client, _), pytest.raises(BadStockReplyError):
        ask(client)


def test_a_quote_of_another_symbol_is_a_bad_reply(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("quote"))) as (client, _), pytest.raises(BadStockReplyError):
        ask(client, "msft.us")


@pytest.mark.parametrize(
    ("handle", "reached"),
    [
        pytest.param(answer(200, b"{}"), True, id="alive"),
        pytest.param(answer(503, b"{}"), False, id="not well"),
        pytest.param(raw(b""), False, id="silent"),
    ],
)
def test_it_is_reachable_when_it_answers_that_it_is_alive(serving: Action, handle: Handle, *, reached: bool) -> None:
    with serving(handle) as (client, stand_in):
        assert client.reachable(Deadline.after(1.0)) is reached
    assert {path for path, _ in stand_in.requests} == {"/healthz"}
    assert not client.reachable(Deadline.after(0.5))  # it is gone


def test_a_refused_connection_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    client, started = HttpStockClient(f"http://127.0.0.1:{port}"), time.monotonic()
    with pytest.raises(StockServiceUnavailableError) as caught:
        ask(client)
    assert caught.value.reason is UnavailableReason.SERVER
    assert time.monotonic() - started < 0.5
    client.close()


def test_a_silent_server_is_a_time_out_at_the_deadline(serving: Action) -> None:
    released = threading.Event()
    with serving(lambda _: released.wait(5)) as (client, _):
        started = time.monotonic()
        with pytest.raises(StockServiceTimeoutError):
            ask(client, seconds=0.2)
        assert 0.15 < time.monotonic() - started < 1
        released.set()


@pytest.mark.parametrize(
    ("header", "drip"),
    [(b"Content-Length: 100\r\n", b"{"), (b"", b"{"), (b"Transfer-Encoding: chunked\r\n", b"1\r\n{\r\n")],
    ids=["length", "until closed", "chunked"],
)
def test_a_dripping_server_is_a_time_out_at_the_deadline(serving: Action, header: bytes, drip: bytes) -> None:
    with serving(raw(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n", *[drip] * 20)) as (client, _):
        started = time.monotonic()
        with pytest.raises(StockServiceTimeoutError):
            ask(client, seconds=0.35)
        assert time.monotonic() - started < 0.6


def test_a_deadline_that_has_passed_sends_nothing(serving: Action, golden: Golden) -> None:
    with serving(answer(200, golden("quote"))) as (client, stand_in), pytest.raises(StockServiceTimeoutError):
        ask(client, seconds=0)
    assert stand_in.requests == []


def test_a_connection_lost_before_the_answer_is_tried_once_more(serving: Action, golden: Golden, apple: Quote) -> None:
    def handle(handler: BaseHTTPRequestHandler) -> None:
        if len(stand_in.requests) == 1:
            handler.close_connection = True
        else:
            answer(200, golden("quote"))(handler)

    with serving(handle) as (client, stand_in):
        assert ask(client) == (apple,)
    assert len(stand_in.requests) == 2


def test_a_connection_lost_twice_is_given_up(serving: Action) -> None:
    with serving(raw()) as (client, stand_in), pytest.raises(StockServiceUnavailableError):
        ask(client)
    assert len(stand_in.requests) == 2


def test_no_proxy_of_the_environment_is_used(
    serving: Action, golden: Golden, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(answer(200, golden("quote"))) as (client, _):
        assert ask(client) == (apple,)


def test_many_threads_share_the_client(serving: Action, apple: Quote) -> None:
    def handle(handler: BaseHTTPRequestHandler) -> None:
        symbol = handler.path.partition("=")[2].upper()
        answer(200, json.dumps(QUOTE | {"symbol": symbol}).encode())(handler)

    got = {}
    with serving(handle) as (client, _):

        def use(symbol: str) -> None:
            got[symbol] = ask(client, symbol)[0].symbol

        threads = [threading.Thread(target=use, args=(f"s{n}",)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {f"s{n}": f"S{n}" for n in range(16)}


QUOTE = {
    "symbol": "X", "name": "X", "open": "1", "high": "1", "low": "1", "close": "1", "source": "stooq",
    "as_of": "2021-11-12T21:00:10Z", "fetched_at": "2021-11-12T21:15:00Z",
}  # fmt: skip
