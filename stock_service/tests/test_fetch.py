"""The way to the network: what it asks, what it takes for an answer, and what for a failure."""

import gzip
import socket
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service_kit.deadline import Deadline
from stock_service.fetch import Fetcher, _decompressed, _read
from stock_service.providers.base import MAX_BODY_BYTES, FailureKind, ProviderError, Response

FailureOf = Callable[..., ProviderError]
CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
TEN_MB = 10_000_000


def test_an_answer_is_given_as_it_is(fetcher: Fetcher, servers: Any) -> None:
    server = servers.answering(servers.reply(b"hello", headers="Retry-After: 7\r\nSet-Cookie: a=b\r\n"))

    for _ in range(2):
        response = fetcher.fetch(server.url, {"s": "^spx"}, Deadline.after(5))
        assert (response.status, response.body, response.headers["retry-after"]) == (200, b"hello", "7")

    assert server.connections == 1, "the connection is kept"
    for head in server.heads:
        lines = head.decode().lower().splitlines()
        assert lines[0] == "get /q/l/?s=%5espx http/1.1"
        assert {"user-agent: tests/1", "accept-encoding: identity"} <= set(lines)
        assert not any(line.startswith("cookie") for line in lines)


@pytest.mark.parametrize("status", [204, 302, 404, 429])
def test_other_statuses_are_answers_too_and_asked_for_once(fetcher: Fetcher, servers: Any, status: int) -> None:
    server = servers.answering(servers.reply(b"", status))

    assert fetcher.fetch(server.url, {}, Deadline.after(5)).status == status
    assert len(server.heads) == 1


def test_threads_that_share_it_get_their_own_answers(fetcher: Fetcher, servers: Any) -> None:
    def echo(connection: socket.socket, _over: threading.Event) -> None:
        connection.sendall(servers.reply(server.head_of(connection).split()[1]))

    server = servers(echo)

    with ThreadPoolExecutor(32) as pool:
        answers = [pool.submit(fetcher.fetch, server.url, {"n": str(n)}, Deadline.after(20)) for n in range(64)]

    assert [answer.result().body for answer in answers] == [f"/q/l/?n={n}".encode() for n in range(64)]


def test_proxies_of_the_environment_are_not_used(
    fetcher: Fetcher, servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = (servers.answering(servers.reply(name)) for name in (b"proxy", b"server"))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)

    assert fetcher.fetch(server.url, {}, Deadline.after(5)).body == b"server"


def test_a_huge_body_is_not_read(failure_of: FailureOf, servers: Any) -> None:
    stopped = threading.Event()

    def flood(connection: socket.socket, _over: threading.Event) -> None:
        try:
            connection.sendall(servers.reply(b"x" * TEN_MB))
        except OSError:
            stopped.set()
            raise

    error = failure_of(servers(flood).url)

    assert (error.kind, error.detail) == (FailureKind.MALFORMED, "body too large")
    assert stopped.wait(5)


def test_no_more_is_asked_of_the_connection_than_the_limit() -> None:
    class Raw:
        asked = 0

        def read1(self, amount: int, *, decode_content: bool) -> bytes:
            self.asked = max(self.asked, amount)
            return b"x" * min(amount, 7)

    raw = Raw()
    with pytest.raises(ProviderError):
        _read(raw, 100)
    assert raw.asked == 101


def test_a_body_may_be_as_large_as_the_limit(fetcher: Fetcher, failure_of: FailureOf, servers: Any) -> None:
    server = servers.answering(*(servers.reply(b"x" * size) for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1)))

    assert len(fetcher.fetch(server.url, {}, Deadline.after(5)).body) == MAX_BODY_BYTES
    assert failure_of(server.url).kind is FailureKind.MALFORMED


def test_endless_chunks_are_not_read(failure_of: FailureOf, servers: Any) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"

    assert failure_of(servers.answering(CHUNKED + chunk * 1000).url).detail == "body too large"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_read_up_to_the_limit(
    fetcher: Fetcher, failure_of: FailureOf, servers: Any, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    bodies = (compress(b"hello"), compress(b"0" * TEN_MB))
    server = servers.answering(*(servers.reply(body, headers=f"Content-Encoding: {encoding}\r\n") for body in bodies))

    assert fetcher.fetch(server.url, {}, Deadline.after(5)).body == b"hello"
    assert failure_of(server.url).detail == "body too large when decompressed"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * TEN_MB)
    tracemalloc.start()
    try:
        with pytest.raises(ProviderError):
            _decompressed(bomb, {"content-encoding": "gzip"}, MAX_BODY_BYTES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < TEN_MB / 10


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"not gzip"), ("gzip", gzip.compress(b"hello" * 100, mtime=0)[:-9]), ("br", b"x"), ("gzip, gzip", b"x")],
)
def test_what_cannot_be_decompressed_is_malformed(
    failure_of: FailureOf, servers: Any, encoding: str, body: bytes
) -> None:
    server = servers.answering(servers.reply(body, headers=f"Content-Encoding: {encoding}\r\n"))

    assert failure_of(server.url).kind is FailureKind.MALFORMED


def test_a_redirect_is_an_answer_and_not_followed(fetcher: Fetcher, servers: Any) -> None:
    other = servers.answering(servers.reply(b"secret"))
    server = servers.answering(servers.reply(b"", 302, f"Location: {other.url}\r\n"))

    assert fetcher.fetch(server.url, {}, Deadline.after(5)) == Response(
        302, b"", {"content-length": "0", "location": other.url}
    )
    assert other.connections == 0


def test_the_body_of_a_redirect_has_the_same_limit(failure_of: FailureOf, servers: Any) -> None:
    server = servers.answering(servers.reply(b"x" * TEN_MB, 302, "Location: /elsewhere\r\n"))

    assert failure_of(server.url).detail == "body too large"


def test_a_reset_connection_is_tried_twice(fetcher: Fetcher, failure_of: FailureOf, servers: Any) -> None:
    broken, recovering = servers.resetting(), servers.resetting(from_then_on=servers.reply(b"hello"))

    assert failure_of(broken.url).kind is FailureKind.UNREACHABLE
    assert len(broken.heads) == 2
    assert fetcher.fetch(recovering.url, {}, Deadline.after(5)).body == b"hello"


def test_a_server_error_is_tried_twice(fetcher: Fetcher, servers: Any) -> None:
    broken = servers.answering(servers.reply(b"", 500))
    recovering = servers.answering(servers.reply(b"", 503), servers.reply(b"hello"))

    assert fetcher.fetch(broken.url, {}, Deadline.after(5)).status == 500
    assert len(broken.heads) == 2
    assert fetcher.fetch(recovering.url, {}, Deadline.after(5)).body == b"hello"


@pytest.mark.parametrize(
    "reply",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 X\r\nA: " + b"x" * 70_000,
    ],
    ids=["no status line", "too many headers", "too long a header"],
)
def test_what_is_not_http_is_unreachable(failure_of: FailureOf, servers: Any, reply: bytes) -> None:
    assert failure_of(servers.answering(reply).url).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nshort", CHUNKED + b"zz\r\nx", CHUNKED + b"-5\r\nxxxxx"],
    ids=["short body", "bad chunk size", "negative chunk size"],
)
def test_a_body_that_breaks_off_is_unreachable(failure_of: FailureOf, servers: Any, reply: bytes) -> None:
    def script(connection: socket.socket, _over: threading.Event) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    assert failure_of(servers(script).url).kind is FailureKind.UNREACHABLE


def test_a_closed_port_is_unreachable(failure_of: FailureOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert failure_of(f"http://127.0.0.1:{port}/", at_most=1).kind is FailureKind.UNREACHABLE


def test_a_certificate_of_nobody_is_refused_and_not_tried_again(
    failure_of: FailureOf, servers: Any, tls: ssl.SSLContext
) -> None:
    server = servers.answering(servers.reply(b"secret"), tls=tls)

    error = failure_of(server.url)

    assert (error.kind, error.detail) == (FailureKind.UNREACHABLE, "tls")
    assert (server.connections, server.heads) == (1, [])
