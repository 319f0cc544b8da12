"""Fixtures for the tests of the stock service: samples, quotes, made-up providers and servers that misbehave."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

import stock_contract
from service_kit.deadline import Deadline
from stock_contract import Quote, load_quote
from stock_service.fetch import Fetcher
from stock_service.providers.base import FailureKind, Outcomes, ProviderError, outcome_of

Script = Callable[[socket.socket, threading.Event], None]
"""Answers one request on the socket; the event is set when the test is over."""


@pytest.fixture(scope="session")
def samples() -> Path:
    return Path(__file__).parent / "samples"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], bytes]:
    folder = Path(stock_contract.__file__).parent / "golden"
    return lambda name: (folder / name).read_bytes()


@pytest.fixture
def quote(golden: Callable[[str], bytes]) -> Quote:
    return load_quote(json.loads(golden("quote.json")))


@dataclass
class FakeProvider:
    """Gives what it is told to: a quote, an error of some kind, or the result of a function of the deadline."""

    name: str
    outcome: Quote | FailureKind | ProviderError | Callable[[str, Deadline], Quote]
    covers: Callable[[str], bool] = lambda _: True
    batch: int = 1
    asked: list[str] = field(default_factory=list)
    requests: list[tuple[str, ...]] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        covered = [symbol for symbol in symbols if self.covers(symbol)]
        return [covered[start : start + self.batch] for start in range(0, len(covered), self.batch)]

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        self.asked.extend(symbols)
        self.requests.append(tuple(symbols))
        self.shares.append(deadline.remaining())
        return {symbol: outcome_of(partial(self._one, symbol, deadline)) for symbol in symbols}

    def _one(self, symbol: str, deadline: Deadline) -> Quote:
        if isinstance(self.outcome, FailureKind):
            raise ProviderError(self.outcome)
        if isinstance(self.outcome, ProviderError):
            raise self.outcome
        if isinstance(self.outcome, Quote):
            return replace(self.outcome, symbol=symbol.upper(), source=self.name)
        return self.outcome(symbol, deadline)


@pytest.fixture
def fake() -> type[FakeProvider]:
    return FakeProvider


class StandIn:
    """A server on a free port that reads each request's head and lets a script answer."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._over = threading.Event()
        self._current: dict[int, bytes] = {}
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/q/l/"

    def head_of(self, connection: socket.socket) -> bytes:
        """The head of the request that is being answered on this connection."""
        return self._current[connection.fileno()]

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would leave accept() waiting
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # how accept() ends when the test is over
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(suppress(OSError))  # the client has left, as it should
            stack.enter_context(plain)
            plain.settimeout(0.05)
            connection = stack.enter_context(self._tls.wrap_socket(plain, server_side=True)) if self._tls else plain
            while head := self._read_head(connection):
                self.heads.append(head)
                self._current[connection.fileno()] = head
                connection.settimeout(5)
                self._script(connection, self._over)
                connection.settimeout(0.05)

    def _read_head(self, connection: socket.socket) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n") and not self._over.is_set():
            try:
                received = connection.recv(4096)
            except TimeoutError:
                continue
            if not received:
                return b""
            head += received
        return head


class StandIns:
    """Starts servers: one with any script, or one of the usual kinds."""

    def __init__(self) -> None:
        self.started: list[StandIn] = []

    def __call__(self, script: Script, tls: ssl.SSLContext | None = None) -> StandIn:
        self.started.append(StandIn(script, tls))
        return self.started[-1]

    @staticmethod
    def reply(body: bytes, status: int = 200, headers: str = "") -> bytes:
        return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body

    def answering(self, *replies: bytes, tls: ssl.SSLContext | None = None) -> StandIn:
        """Gives the replies one after the other, and the last one from then on."""
        left = list(replies)
        return self(lambda connection, _: connection.sendall(left.pop(0) if len(left) > 1 else left[0]), tls)

    def dripping(self, reply: bytes, *, first: bytes = b"", tls: ssl.SSLContext | None = None) -> StandIn:
        """Sends `first` at once and `reply` a byte at a time."""

        def script(connection: socket.socket, over: threading.Event) -> None:
            connection.sendall(first)
            for byte in reply:
                connection.sendall(bytes([byte]))
                if over.wait(0.02):
                    return

        return self(script, tls)

    def silent(self) -> StandIn:
        return self(lambda _, over: over.wait(10) and None)

    def resetting(self, *, from_then_on: bytes | None = None) -> StandIn:
        """Breaks the connection; after the first time it gives `from_then_on`, if there is such a reply."""

        def script(connection: socket.socket, _over: threading.Event) -> None:
            if from_then_on and len(server.heads) > 1:
                connection.sendall(from_then_on)
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        server = self(script)
        return server


@pytest.fixture
def servers() -> Iterator[StandIns]:
    servers = StandIns()
    yield servers
    for server in servers.started:
        server.close()


@pytest.fixture
def tls(samples: Path) -> ssl.SSLContext:
    """For a server with a certificate of nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(samples / "self_signed.pem")
    return context


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher("tests/1") as fetcher:
        yield fetcher


@pytest.fixture
def failure_of(fetcher: Fetcher) -> Callable[..., ProviderError]:
    """Fetches an address with a deadline, and asserts that it fails, in less than `at_most` seconds."""

    def fetch(url: str, seconds: float = 5.0, at_most: float = 4.0) -> ProviderError:
        started = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            fetcher.fetch(url, {}, Deadline.after(seconds))
        assert time.monotonic() - started < at_most
        return caught.value

    return fetch
