"""A TCP proxy with faults: cut, refuse, black hole, freeze, latency, slices, truncation, for each direction.

It acknowledges what it receives itself, so it cannot show what a kernel does about lost packets.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.ports import free_ports
from tests.link_faults import CHUNK, Direction, LinkFaults, Trap

_PATIENCE = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends RST instead of FIN


class FaultProxy:
    """Listens on a `port` of 127.0.0.1 and carries every connection to `upstream_port` there.

    A fault is a context manager that heals at its end, in both directions unless one is named; `cut` is over at once.
    Faults hold for open connections and for new ones. Safe to use from any thread.
    """

    def __init__(self, upstream_port: int) -> None:
        (self.port,) = free_ports(1)
        self._upstream_port = upstream_port
        self._faults = LinkFaults()
        self._connections: set[_Connection] = set()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def close(self) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def cut(self) -> None:
        """Reset every open connection, on both sides."""
        self._do(self._reset(lambda _: True))

    @contextmanager
    def down(self) -> Iterator[None]:
        """Reset every connection and refuse new ones, as a machine does on which the program has ended."""
        self._do(self._refuse())
        try:
            yield
        finally:
            self._do(self._listen())

    @contextmanager
    def blackhole(self, *directions: Direction) -> Iterator[None]:
        """Swallow what comes. At the end the connections that lost bytes are reset: they could not go on."""
        try:
            with self._with(directions, swallow=True):
                yield
        finally:
            self._do(self._reset(lambda connection: connection.lost_bytes))

    def freeze(self, *directions: Direction) -> AbstractContextManager[None]:
        """Read nothing, so that the sender's buffers fill; what was held back arrives at the end."""
        return self._with(directions, frozen=True)

    def latency(self, seconds: float, *directions: Direction) -> AbstractContextManager[None]:
        """Hold each chunk, and each slice, back for that long."""
        return self._with(directions, delay=seconds)

    def slices(self, size: int, *directions: Direction) -> AbstractContextManager[None]:
        """Pass on at most `size` bytes at a time, each slice as a packet of its own."""
        return self._with(directions, slice_size=size)

    @contextmanager
    def truncate(self, after: int, *directions: Direction) -> Iterator[None]:
        """Reset a connection once `after` more bytes have passed: a message ends in its middle."""
        chosen = directions or tuple(Direction)
        self._faults.left.update(dict.fromkeys(chosen, after))
        try:
            yield
        finally:
            for direction in chosen:
                del self._faults.left[direction]

    @contextmanager
    def reset_after(self, text: bytes, direction: Direction) -> Iterator[threading.Event]:
        """Pass `text` on and reset its connection before any answer; the event tells that it has happened."""
        trap = self._faults.traps[direction] = Trap(text)
        try:
            yield trap.sprung
        finally:
            del self._faults.traps[direction]

    @contextmanager
    def _with(self, directions: tuple[Direction, ...], **changes: Any) -> Iterator[None]:
        chosen = directions or tuple(Direction)
        before = {direction: self._faults.of(direction) for direction in chosen}
        self._do(self._faults.set({direction: replace(faults, **changes) for direction, faults in before.items()}))
        try:
            yield
        finally:
            self._do(self._faults.set(before))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    # Everything from here on runs on the proxy's own thread.

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listener.setblocking(False)
        self._accepting = self._loop.create_task(self._accept(self._listener))

    async def _refuse(self) -> None:
        if self._accepting and self._listener:
            self._accepting.cancel()
            self._listener.close()
        await self._reset(lambda _: True)

    async def _reset(self, chosen: Callable[["_Connection"], bool]) -> None:
        for connection in [each for each in self._connections if chosen(each)]:
            self._drop(connection)
        await asyncio.sleep(0)  # the cancelled pumps leave their sockets

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            self._loop.create_task(self._connect(client)).add_done_callback(_report)

    async def _connect(self, client: socket.socket) -> None:
        server = socket.socket()
        connection = _Connection(client, server)
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._loop.sock_connect(server, ("127.0.0.1", self._upstream_port))
        except OSError:  # nobody listens: so neither do we
            connection.close(reset=True)
            return
        self._connections.add(connection)
        connection.pumps = [
            self._loop.create_task(self._pump(connection, Direction.UP, client, server)),
            self._loop.create_task(self._pump(connection, Direction.DOWN, server, client)),
        ]
        for pump in connection.pumps:
            pump.add_done_callback(_report)

    async def _pump(
        self, connection: "_Connection", direction: Direction, source: socket.socket, target: socket.socket
    ) -> None:
        try:
            while True:
                await self._faults.thaw(direction)
                data = await self._loop.sock_recv(source, CHUNK)
                await self._faults.thaw(direction)  # a read that began before the fault is held back as well
                if not data:
                    break
                await self._carry(connection, direction, data, target)
        except OSError:  # one side has reset the connection: the other one learns of it the same way
            self._drop(connection)
        else:
            self._drop(connection, reset=False)

    async def _carry(
        self, connection: "_Connection", direction: Direction, data: bytes, target: socket.socket
    ) -> None:
        faults = self._faults.of(direction)
        if faults.swallow:
            connection.lost_bytes = True
            return
        whole, end = self._faults.cut_off(direction, data)
        for start in range(0, len(whole), faults.slice_size):
            await asyncio.sleep(faults.delay)
            await self._loop.sock_sendall(target, whole[start : start + faults.slice_size])
        if end:
            raise ConnectionResetError

    def _drop(self, connection: "_Connection", *, reset: bool = True) -> None:
        self._connections.discard(connection)
        connection.close(reset=reset)


@dataclass(eq=False)
class _Connection:
    """Two sockets and the two tasks that carry bytes between them."""

    client: socket.socket
    server: socket.socket
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    lost_bytes: bool = False

    def close(self, *, reset: bool) -> None:
        for pump in self.pumps:
            if pump is not asyncio.current_task():
                pump.cancel()
        for end in (self.client, self.server):
            if reset and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.close()


def _report(task: asyncio.Task[None]) -> None:
    """A defect of the proxy must not look like a fault that it was asked for."""
    if not task.cancelled() and (error := task.exception()):
        raise error
