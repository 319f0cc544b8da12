"""Keep-alive clients that cost little: one thread, raw sockets, one request on each connection at a time.

A program of its own (`python -m benchmarks.end_to_end.load`), so that it does not share a process with what it
measures: it reads a `Plan` as JSON from standard input and writes a `Load` as JSON to standard output.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final

from benchmarks.http_answers import body_end

_PATIENCE: Final = 15.0
"""Seconds for the last answers, after the last request."""
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """`connections` clients for `warm_up` and then `seconds` seconds; only what begins in the latter is timed."""

    port: int
    path: str
    token: str
    connections: int
    seconds: float
    warm_up: float


@dataclass(slots=True)
class Load:
    """What the clients saw; every answer is in `statuses`, those of the warm-up too."""

    statuses: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """Requests that a closed connection left without an answer."""
    per_second: float = 0.0
    """Answers with 200, in the seconds that count."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def quantile(ordered: list[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank); 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Client:
    """One connection."""

    def __init__(self, plan: Plan) -> None:
        self._port = plan.port
        self._request = (
            f"GET {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\n"
            f"Authorization: Bearer {plan.token}\r\nAccept: application/json\r\n\r\n"
        ).encode()
        self._received = bytearray()
        self.sent_at = 0.0
        self.socket = self._connect()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.socket.send(self._request)

    def receive(self) -> tuple[str, bool] | None:
        """The status of the answer, if it is complete, and whether the connection stays.

        :raises ConnectionError: it was closed before.
        """
        if not (data := self.socket.recv(65_536)):
            raise ConnectionResetError
        self._received += data
        if body_end(self._received) is None:
            return None
        status, stays = self._received[9:12].decode(), not _CLOSE.search(self._received)
        self._received.clear()
        return status, stays

    def reconnect(self) -> None:
        self.socket.close()
        self._received.clear()
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), _PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _Run:
    """All of them, until the time is over and the last answer is there."""

    def __init__(self, plan: Plan) -> None:
        self._selector = selectors.DefaultSelector()
        self._clients = [_Client(plan) for _ in range(plan.connections)]
        self._counts_from = time.perf_counter() + plan.warm_up
        self._ends_at = self._counts_from + plan.seconds
        self._seconds = plan.seconds
        self._statuses: Counter[str] = Counter()
        self._lost = 0
        self._times: list[float] = []
        self._in_time = 0
        self._open = 0

    def __call__(self) -> Load:
        for client in self._clients:
            self._selector.register(client.socket, selectors.EVENT_READ, client)
            self._open += 1
            client.send()
        while self._open and time.perf_counter() < self._ends_at + _PATIENCE:
            for key, _ in self._selector.select(1.0):
                self._serve(key.data)
        self._lost += self._open
        ordered = sorted(self._times)
        return Load(
            dict(self._statuses),
            self._lost,
            self._in_time / self._seconds,
            quantile(ordered, 0.5) * 1000,
            quantile(ordered, 0.99) * 1000,
        )

    def _serve(self, client: _Client) -> None:
        try:
            answer = client.receive()
        except ConnectionError:
            self._lost += 1
            answer = ("", False)
        if answer is None:
            return
        status, stays = answer
        now = time.perf_counter()
        if status:
            self._note(status, client.sent_at, now)
        if now >= self._ends_at:
            self._selector.unregister(client.socket)
            self._open -= 1
            return
        if not stays:
            self._selector.unregister(client.socket)
            client.reconnect()
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()

    def _note(self, status: str, sent_at: float, now: float) -> None:
        self._statuses[status] += 1
        if status == "200" and self._counts_from <= now < self._ends_at:
            self._in_time += 1
        if self._counts_from <= sent_at < self._ends_at:
            self._times.append(now - sent_at)


if __name__ == "__main__":
    print(json.dumps(asdict(_Run(Plan(**json.load(sys.stdin)))())))
