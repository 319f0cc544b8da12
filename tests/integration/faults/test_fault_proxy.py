"""The proxy itself: each fault does what it says, and is gone when it is healed."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fault_proxy import FaultProxy
from tests.link_faults import Direction

pytestmark = pytest.mark.timeout(10)


class _EchoServer:
    """Sends back what it receives, on every connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                pass  # the fault under test

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    server = _EchoServer()
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.close()
    server.close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with closing(_connect(proxy)) as client:
        yield client


def _connect(proxy: FaultProxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), 2)
    client.settimeout(2)
    return client


def _receive(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := client.recv(size - len(data))):
        data += chunk
    return data


def _echo(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return _receive(client, len(text))


def test_without_a_fault_everything_passes(client: socket.socket) -> None:
    text = bytes(range(256)) * 4096
    threading.Thread(target=client.sendall, args=(text,), daemon=True).start()
    assert _receive(client, len(text)) == text


def test_an_end_is_passed_on_as_an_end(client: socket.socket, proxy: FaultProxy) -> None:
    assert _echo(client, b"hello") == b"hello"
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""


def test_cut_resets_and_lets_the_next_one_through(client: socket.socket, proxy: FaultProxy) -> None:
    assert _echo(client, b"hello") == b"hello"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with closing(_connect(proxy)) as next_one:
        assert _echo(next_one, b"again") == b"again"


def test_down_refuses_until_it_is_healed(client: socket.socket, proxy: FaultProxy) -> None:
    assert _echo(client, b"hello") == b"hello"
    with proxy.down():
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy)
    with closing(_connect(proxy)) as next_one:
        assert _echo(next_one, b"again") == b"again"


@pytest.mark.parametrize("direction", Direction)
def test_a_black_hole_swallows_and_its_victims_are_reset_afterwards(
    client: socket.socket, proxy: FaultProxy, direction: Direction
) -> None:
    assert _echo(client, b"hello") == b"hello"
    client.settimeout(0.2)
    with proxy.blackhole(direction):
        client.sendall(b"lost")
        with pytest.raises(TimeoutError):
            client.recv(1)
    client.settimeout(2)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


@pytest.mark.parametrize("direction", Direction)
def test_frozen_bytes_arrive_when_it_thaws(client: socket.socket, proxy: FaultProxy, direction: Direction) -> None:
    assert _echo(client, b"hello") == b"hello"
    client.settimeout(0.2)
    with proxy.freeze(direction):
        client.sendall(b"later")
        with pytest.raises(TimeoutError):
            client.recv(1)
    client.settimeout(2)
    assert _receive(client, 5) == b"later"


def test_a_frozen_direction_fills_the_buffers_of_the_sender(client: socket.socket, proxy: FaultProxy) -> None:
    client.settimeout(0.2)
    with proxy.freeze(Direction.UP), pytest.raises(TimeoutError):
        client.sendall(bytes(64 * 1024 * 1024))


def test_latency_holds_back(client: socket.socket, proxy: FaultProxy) -> None:
    with proxy.latency(0.1):
        started = time.monotonic()
        assert _echo(client, b"hello") == b"hello"
        assert time.monotonic() - started >= 0.2


def test_slices_pass_one_by_one(client: socket.socket, proxy: FaultProxy) -> None:
    with proxy.slices(1, Direction.DOWN), proxy.latency(0.05, Direction.DOWN):
        client.sendall(b"hello")
        assert [client.recv(5) for _ in range(5)] == [b"h", b"e", b"l", b"l", b"o"]


@pytest.mark.parametrize("direction", Direction)
def test_truncation_ends_a_message_in_its_middle(
    client: socket.socket, proxy: FaultProxy, direction: Direction
) -> None:
    with proxy.truncate(3, direction):
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            _receive(client, 5)
    with closing(_connect(proxy)) as next_one:
        assert _echo(next_one, b"again") == b"again"


def test_reset_after_passes_the_text_on_and_nothing_else(client: socket.socket, proxy: FaultProxy) -> None:
    with proxy.reset_after(b"COMMIT", Direction.UP) as happened:
        assert _echo(client, b"BEGIN") == b"BEGIN"
        client.sendall(b"COMMIT")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert happened.is_set()
    assert proxy.connections == 0
