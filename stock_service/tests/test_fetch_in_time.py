"""The way to the network ends with its deadline, whatever the other side does, and leaves no thread behind."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.time_budget import UPSTREAM_READ
from stock_service.fetch import Fetcher
from stock_service.providers.base import FailureKind, ProviderError

FailureOf = Callable[..., ProviderError]
OK = b"HTTP/1.1 200 X\r\n"


def all_ended(fetcher: Fetcher) -> bool:
    """Tell whether the abandoned tries end soon."""
    for thread in list(fetcher._runner._stuck):
        thread.join(1)
    return fetcher.stuck() == 0


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (OK + b"Content-Length: 5000\r\n\r\n", b"x" * 5000),
        (OK + b"\r\n", b"x" * 5000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 5000),
        (b"", OK + b"X-Long: " + b"x" * 5000),
    ],
    ids=["body", "body without length", "chunks", "chunk size", "head"],
)
def test_a_dripping_answer_is_given_up_and_cut_off(
    fetcher: Fetcher, failure_of: FailureOf, servers: Any, first: bytes, rest: bytes
) -> None:
    server = servers.dripping(rest, first=first)

    assert failure_of(server.url, 0.3, at_most=1).kind is FailureKind.TIMEOUT
    assert all_ended(fetcher)


def test_a_kept_connection_is_cut_off_too(fetcher: Fetcher, failure_of: FailureOf, servers: Any) -> None:
    def script(connection: socket.socket, over: threading.Event) -> None:
        if len(server.heads) == 1:
            connection.sendall(servers.reply(b"hello"))
            return
        connection.sendall(OK + b"X-Long: ")
        while not over.wait(0.02):
            connection.sendall(b"x")

    server = servers(script)
    fetcher.fetch(server.url, {}, Deadline.after(5))

    assert failure_of(server.url, 0.2, at_most=1).kind is FailureKind.TIMEOUT
    assert server.connections == 1
    assert all_ended(fetcher)


def test_an_encrypted_connection_can_be_kept_and_cut_off_too(
    fetcher: Fetcher, failure_of: FailureOf, servers: Any, tls: ssl.SSLContext, samples: Path
) -> None:
    fetcher._session.verify = str(samples / "self_signed.pem")
    server = servers.answering(servers.reply(b"hello"), tls=tls)
    dripping = servers.dripping(OK + b"X-Long: " + b"x" * 5000, tls=tls)

    assert [fetcher.fetch(server.url, {}, Deadline.after(5)).body for _ in range(2)] == [b"hello", b"hello"]
    assert server.connections == 1
    assert failure_of(dripping.url, 0.4, at_most=1).kind is FailureKind.TIMEOUT
    assert all_ended(fetcher)


def test_a_slow_first_byte_ends_with_the_deadline(fetcher: Fetcher, failure_of: FailureOf, servers: Any) -> None:
    server = servers.silent()

    assert failure_of(server.url, 0.2, at_most=1).kind is FailureKind.TIMEOUT
    assert len(server.heads) == 1
    assert all_ended(fetcher)


def test_a_silent_server_is_given_up_before_a_far_deadline_and_not_asked_again(
    fetcher: Fetcher, failure_of: FailureOf, servers: Any
) -> None:
    server = servers.silent()

    assert failure_of(server.url, 10, at_most=UPSTREAM_READ + 1).kind is FailureKind.TIMEOUT
    assert len(server.heads) == 1
    assert fetcher.stuck() == 0


def test_there_is_no_second_try_without_time_for_it(fetcher: Fetcher, servers: Any) -> None:
    def script(connection: socket.socket, over: threading.Event) -> None:
        over.wait(deadline.remaining() - 0.05)  # the shortest pause before a second try
        connection.sendall(servers.reply(b"", 500))

    server = servers(script)
    deadline = Deadline.after(0.3)

    assert fetcher.fetch(server.url, {}, deadline).status == 500
    assert len(server.heads) == 1


def test_nothing_is_asked_after_the_deadline(fetcher: Fetcher, failure_of: FailureOf, servers: Any) -> None:
    server = servers.answering(servers.reply(b""))

    error = failure_of(server.url, 0, at_most=0.2)

    assert (error.kind, error.detail) == (FailureKind.TIMEOUT, "no time left to ask")
    assert (server.connections, fetcher.stuck()) == (0, 0)


@pytest.fixture
def hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name look-ups hang until the event is set. The one patch here: a real resolver cannot be made to hang."""
    release = threading.Event()
    resolve = socket.getaddrinfo

    def hang(*args: Any, **kwargs: Any) -> Any:
        release.wait(10)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield release
    release.set()


def test_a_hanging_resolver_is_given_up_and_nothing_is_sent_later(
    fetcher: Fetcher, failure_of: FailureOf, servers: Any, hanging_resolver: threading.Event
) -> None:
    server = servers.answering(servers.reply(b""))

    assert failure_of(server.url, 0.2, at_most=1).kind is FailureKind.TIMEOUT
    assert fetcher.stuck() == 1

    hanging_resolver.set()
    assert all_ended(fetcher)
    assert server.heads == []


def test_too_many_stuck_tries_are_refused_at_once_until_they_end(
    servers: Any, hanging_resolver: threading.Event
) -> None:
    server = servers.answering(servers.reply(b"hello"))
    with Fetcher("tests/1", max_stuck=2) as fetcher:
        for _ in range(2):
            with pytest.raises(ProviderError, match="timeout"):
                fetcher.fetch(server.url, {}, Deadline.after(0.05))
        deadline = Deadline.after(5)
        with pytest.raises(ProviderError, match="unreachable: too many"):
            fetcher.fetch(server.url, {}, deadline)
        assert deadline.remaining() > 4

        hanging_resolver.set()
        assert all_ended(fetcher)
        assert fetcher.fetch(server.url, {}, Deadline.after(5)).body == b"hello"
