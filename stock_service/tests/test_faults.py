"""Everything that stooq can do wrong, on a real connection: another provider answers, or the right failure is told.

Never "no such symbol", never more than 64 KiB read, and always within the budget.
"""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import ErrorCode, Failure, Quote
from stock_service.lookup import build_lookup
from stock_service.providers.base import MAX_BODY_BYTES
from stock_service.settings import load

HEADER = b"Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\n"
TEN_MB = 10_000_000
BOMB = gzip.compress(b"0" * TEN_MB)
LIMIT = b"Exceeded the daily hits limit"
HEAD_AND_BUFFER = 9_000
SLACK = 0.5
"""Seconds on top of the budget, for a busy machine."""


class Fault:
    """Starts a stooq that does one thing wrong; says what is told when there is no other provider."""

    def __init__(self, start: Callable[..., Any], code: ErrorCode) -> None:
        self.start = start
        self.code = code


def replying(body: bytes, status: int = 200, headers: str = "") -> Callable[..., Any]:
    return lambda servers, **_: servers.answering(servers.reply(body, status, headers))


def redirecting(servers: Any, other: Any, **_: Any) -> Any:
    return servers.answering(servers.reply(b"", 302, f"Location: {other.url}\r\n"))


def untrusted(servers: Any, tls: ssl.SSLContext, **_: Any) -> Any:
    return servers.answering(servers.reply(HEADER), tls=tls)


def dripping(servers: Any, **_: Any) -> Any:
    """A byte a second."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        for byte in servers.reply(HEADER):
            connection.sendall(bytes([byte]))
            if over.wait(1.0):
                return

    return servers(script)


def dripping_body(servers: Any, **_: Any) -> Any:
    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(1.0):
            connection.sendall(b"S")

    return servers(script)


FAULTS = {
    "404": Fault(replying(b"<html>The page you requested does not exist", 404), ErrorCode.UPSTREAM_ERROR),
    "html": Fault(replying(b"<!DOCTYPE html><script>crypto.subtle.digest</script>"), ErrorCode.UPSTREAM_ERROR),
    "daily limit": Fault(replying(LIMIT), ErrorCode.UPSTREAM_QUOTA),
    "429": Fault(replying(b"", 429, "Retry-After: 21600\r\n"), ErrorCode.UPSTREAM_QUOTA),
    "500": Fault(replying(b"", 500), ErrorCode.UPSTREAM_ERROR),
    "empty": Fault(replying(b""), ErrorCode.UPSTREAM_BAD_DATA),
    "truncated row": Fault(replying(HEADER + b"AAPL.US,2021-11-12,22:0"), ErrorCode.UPSTREAM_BAD_DATA),
    "some N/D": Fault(
        replying(HEADER + b"AAPL.US,2021-11-12,22:00:10,N/D,150.4,147.48,N/D,1,APPLE\r\n"), ErrorCode.UPSTREAM_BAD_DATA
    ),
    "10 MB": Fault(replying(b"x" * TEN_MB), ErrorCode.UPSTREAM_BAD_DATA),
    "gzip bomb": Fault(replying(BOMB, 200, "Content-Encoding: gzip\r\n"), ErrorCode.UPSTREAM_BAD_DATA),
    "byte a second": Fault(dripping, ErrorCode.UPSTREAM_TIMEOUT),
    "byte a second in the body": Fault(dripping_body, ErrorCode.UPSTREAM_TIMEOUT),
    "redirect to another host": Fault(redirecting, ErrorCode.UPSTREAM_BAD_DATA),
    "certificate of nobody": Fault(untrusted, ErrorCode.UPSTREAM_ERROR),
    "reset": Fault(lambda servers, **_: servers.resetting(), ErrorCode.UPSTREAM_ERROR),
    "silence": Fault(lambda servers, **_: servers.silent(), ErrorCode.UPSTREAM_TIMEOUT),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Fault:
    return FAULTS[request.param]


class System:
    """A lookup with a faulty stooq, and what else there is."""

    def __init__(self, servers: Any, fault: Fault, tls: ssl.SSLContext, **others: str) -> None:
        self.other = servers.answering(servers.reply(HEADER + b"AAPL.US,2021-11-12,22:00:10,1,1,1,1,1,WRONG\r\n"))
        self.stooq = fault.start(servers, other=self.other, tls=tls)
        self.lookup = build_lookup(load({"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": self.stooq.url} | others))

    def ask(self, *symbols: str) -> list[Quote | Failure]:
        started = time.monotonic()
        results = list(self.lookup(symbols or ["aapl.us"], Deadline.after(6)))
        assert time.monotonic() - started < UPSTREAM_TOTAL + SLACK
        return results


def test_without_another_provider_the_right_failure_is_told(servers: Any, tls: ssl.SSLContext, fault: Fault) -> None:
    system = System(servers, fault, tls)

    (result,) = system.ask()

    assert isinstance(result, Failure)
    assert result.code is fault.code
    assert system.other.connections == 0
    assert len(system.stooq.heads) <= 2


def test_the_next_provider_answers(servers: Any, tls: ssl.SSLContext, samples: Path, fault: Fault) -> None:
    body = (samples / "cboe/ok_share.json").read_bytes()
    cboe = servers.answering(servers.reply(body))
    system = System(servers, fault, tls, QUOTE_PROVIDERS="stooq,cboe", CBOE_URL=cboe.url)

    results = system.ask("msft.us", "^unknown")

    assert getattr(results[0], "source", results[0]) == "cboe"
    assert isinstance(results[1], Failure), "only stooq could know it"
    assert results[1].code is fault.code
    assert system.other.connections == 0


def test_the_last_quote_is_served_when_all_fail(servers: Any, samples: Path) -> None:
    good = (samples / "stooq/ok_aapl.csv").read_bytes()
    server = servers.answering(servers.reply(good), servers.reply(b"", 404))
    settings = {"QUOTE_PROVIDERS": "stooq,recorded", "STOOQ_URL": server.url, "QUOTE_TTL": "1", "QUOTE_MAX_STALE": "3"}
    lookup = build_lookup(load(settings))

    def ask() -> Any:
        (result,) = lookup(["aapl.us"], Deadline.after(6))
        return result

    first = ask()
    told = {}
    until = time.monotonic() + 6
    while "recorded" not in told.values() and time.monotonic() < until:
        result = ask()
        told.setdefault((result.stale, result.as_of, result.fetched_at), result.source)
        threading.Event().wait(0.05)

    when = (first.as_of, first.fetched_at)
    assert not first.stale
    assert list(told.items())[:2] == [((False, *when), "stooq"), ((True, *when), "stooq")]
    assert list(told.values())[2:] == ["recorded"]


@pytest.mark.parametrize("name", ["10 MB", "gzip bomb"])
def test_no_more_than_the_limit_is_read(
    servers: Any, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read = []
    readinto = socket.SocketIO.readinto

    def counted(self: socket.SocketIO, buffer: Any) -> int | None:
        read.append(readinto(self, buffer) or 0)
        return read[-1]

    monkeypatch.setattr(socket.SocketIO, "readinto", counted)  # what http.client reads its socket with

    (result,) = System(servers, FAULTS[name], tls).ask()

    assert result == Failure(ErrorCode.UPSTREAM_BAD_DATA)
    assert 0 < sum(read) <= MAX_BODY_BYTES + HEAD_AND_BUFFER
