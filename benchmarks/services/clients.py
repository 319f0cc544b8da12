"""Keep-alive clients that cost little: one thread, one request on each connection at a time."""

import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from benchmarks.http_answers import body_end

PATIENCE: Final = 20.0
"""Seconds in which something must be answered; the services give up after eight."""
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """To one request; the times are those of `time.perf_counter`."""

    status: int
    """0: the connection was closed before there was one."""
    sent_at: float
    received_at: float

    @property
    def ms(self) -> float:
        return 1000 * (self.received_at - self.sent_at)


def not_ok(answers: Sequence[Answer]) -> int:
    """How many are not 200."""
    return sum(answer.status != HTTPStatus.OK for answer in answers)


def all_ms(answers: Sequence[Answer]) -> float:
    """From the first request to the last answer."""
    first = min(answer.sent_at for answer in answers)
    return 1000 * (max(answer.received_at for answer in answers) - first)


def rate(answers: Sequence[Answer]) -> float:
    """Answers in a second."""
    return 1000 * len(answers) / all_ms(answers)


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._received = bytearray()
        self._open()

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> Answer | None:
        """The answer, if it is complete; a connection that does not stay is made anew."""
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            data = b""
        self._received += data
        if data and body_end(self._received) is None:
            return None
        answer = Answer(int(self._received[9:12]) if data else 0, self.sent_at, time.perf_counter())
        if not data or _CLOSE.search(self._received):
            self.close()
            self._open()
        self._received.clear()
        return answer

    def close(self) -> None:
        self.socket.close()

    def _open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Clients:
    """So many connections to the API at `port`, open within the block; all call as the user of `token`."""

    def __init__(self, port: int, token: str, connections: int = 1) -> None:
        self._port = port
        self._headers = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\r\n"
        self._connections = [_Connection(port) for _ in range(connections)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def ask(self, paths: Iterable[str]) -> list[Answer]:
        """GET each of `paths`; every connection takes the next one as soon as it has its answer.

        :raises TimeoutError: something was not answered.
        """
        left = iter(paths)
        answers: list[Answer] = []
        with selectors.DefaultSelector() as selector:
            for connection in self._connections:
                self._next(connection, left, selector)
            while selector.get_map():
                ready = selector.select(PATIENCE)
                if not ready:
                    raise TimeoutError(f"{len(selector.get_map())} requests were not answered in {PATIENCE:.0f} s")
                for key, _ in ready:
                    if answer := key.data.receive():
                        answers.append(answer)
                        selector.unregister(key.fileobj)
                        self._next(key.data, left, selector)
        return answers

    def _next(self, connection: _Connection, left: Iterator[str], selector: selectors.BaseSelector) -> None:
        path = next(left, None)
        if path is not None:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(f"GET {path} HTTP/1.1\r\n{self._headers}".encode())


def for_seconds(seconds: float, paths: Iterable[str]) -> Iterator[str]:
    """`paths` until the time is over."""
    end = time.perf_counter() + seconds
    for path in paths:
        if time.perf_counter() >= end:
            return
        yield path
