"""Who observes a client or a server is told of each call, each request and the connection."""

import time
from typing import Any

import pytest

from amqp_rpc import (
    CallTimeoutError,
    ClientEvent,
    ClientObserver,
    NoServerError,
    RemoteError,
    Request,
    RpcClient,
    RpcServer,
    ServerEvent,
    ServerObserver,
)
from amqp_rpc.in_memory import InMemoryClientTransport, InMemoryQueue, InMemoryServerTransport
from amqp_rpc.messages import SENT_HEADER, Delivery, Reply
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.rpc_suite.parts import Gate, call, echo
from tests.waiting import SOON, eventually


class ClientNotes(ClientObserver):
    def __init__(self) -> None:
        self.begun = 0
        self.results: list[str | None] = []
        self.seconds: list[float] = []
        self.events: list[ClientEvent] = []

    def began(self) -> None:
        self.begun += 1

    def ended(self, seconds: float, error: Exception | None) -> None:
        self.seconds.append(seconds)
        self.results.append(type(error).__name__ if error else None)

    def happened(self, event: ClientEvent) -> None:
        self.events.append(event)


class ServerNotes(ServerObserver):
    def __init__(self) -> None:
        self.waits: list[float | None] = []
        self.failed: list[bool] = []
        self.events: list[ServerEvent] = []

    def began(self, waited: float | None) -> None:
        self.waits.append(waited)

    def ended(self, seconds: float, *, failed: bool) -> None:
        assert 0 <= seconds < SOON
        self.failed.append(failed)

    def happened(self, event: ServerEvent) -> None:
        self.events.append(event)


@pytest.fixture
def queue() -> InMemoryQueue:
    return InMemoryQueue()


@pytest.fixture
def notes() -> ClientNotes:
    return ClientNotes()


@pytest.fixture
def client(queue: InMemoryQueue, notes: ClientNotes) -> RpcClient:
    return RpcClient(InMemoryClientTransport(queue), grace=3.0, observer=notes)


def serve(queue: InMemoryQueue, handler: Any, notes: ServerNotes | None = None, workers: int = 1) -> RpcServer:
    server = RpcServer(InMemoryServerTransport(queue, workers), handler, workers=workers, observer=notes)
    server.start()
    return server


def test_a_client_tells_of_each_call_and_how_it_ended(
    queue: InMemoryQueue, client: RpcClient, notes: ClientNotes
) -> None:
    with pytest.raises(NoServerError):
        call(client)
    gate = Gate()
    servers = [serve(queue, gate)]
    with pytest.raises(CallTimeoutError):
        call(client, seconds=0.05)
    gate.open()
    eventually(lambda: ClientEvent.ORPHAN_REPLY in notes.events)
    assert call(client) == b"ping"
    assert notes.begun == 3
    assert notes.results == ["NoServerError", "CallTimeoutError", None]
    assert notes.seconds[1] >= 0.05 > notes.seconds[0] >= 0
    assert notes.events == [ClientEvent.CONNECTED, ClientEvent.RETURNED, ClientEvent.ORPHAN_REPLY]
    for server in servers:
        assert server.drain(SOON)


def test_a_call_that_is_sent_once_more_is_one_call(queue: InMemoryQueue, notes: ClientNotes) -> None:
    transport = InMemoryClientTransport(queue)
    client = RpcClient(transport, grace=3.0, observer=notes)
    gate = Gate()
    server = serve(queue, gate, workers=2)
    with callers() as pool:
        waiting = pool.submit(call, client)
        gate.wait_for(1)
        transport.cut()
        gate.open()
        assert waiting.result(SOON) == b"ping"
    assert (notes.begun, notes.results) == (1, [None])
    assert {ClientEvent.DISCONNECTED, ClientEvent.REPEATED} <= set(notes.events)
    assert server.drain(SOON)


def test_a_server_tells_how_long_requests_waited_and_what_came_of_them(
    queue: InMemoryQueue, client: RpcClient
) -> None:
    def moody(request: Request) -> bytes:
        if request.body == b"fail":
            raise ValueError
        return gate(request)

    gate, notes = Gate(), ServerNotes()
    server = serve(queue, moody, notes)
    with callers(2) as pool:
        first = pool.submit(call, client)
        gate.wait_for(1)
        second = pool.submit(call, client, b"second")
        eventually(lambda: len(queue._ready) == 1)
        in_queue_at = time.monotonic()
        eventually(lambda: time.monotonic() - in_queue_at > 0.02)
        gate.open()
        assert (first.result(SOON), second.result(SOON)) == (b"ping", b"second")
    with pytest.raises(RemoteError):
        call(client, b"fail")
    assert server.drain(SOON)
    assert notes.failed == [False, False, True]
    assert notes.waits[1] is not None
    assert 0.019 <= notes.waits[1] < SOON  # it is told in whole milliseconds


class _NoTransport:
    def finish(self, delivery: Delivery, reply: Reply | None) -> None:
        self.last = reply


@pytest.mark.parametrize(("sent", "waited"), [({}, None), ({SENT_HEADER: "soon"}, None), ({SENT_HEADER: 2**45}, 0.0)])
def test_a_clock_that_is_ahead_or_missing_harms_nothing(sent: dict[str, object], waited: float | None) -> None:
    notes, transport = ServerNotes(), _NoTransport()
    server: Any = RpcServer(transport, echo, workers=1, observer=notes)  # type: ignore[arg-type]
    checked = server._check(Delivery(None, "c" * 16, "amq.gen-x", b"ping", sent, redelivered=False))
    assert server._reply_to(checked).body == b"ping"
    assert notes.waits == [waited]


def test_a_server_tells_of_what_it_does_not_handle() -> None:
    notes, transport = ServerNotes(), _NoTransport()
    server: Any = RpcServer(transport, echo, workers=1, observer=notes)  # type: ignore[arg-type]
    nobody = Delivery(None, "c" * 16, "stock.quotes.v1", b"", {}, redelivered=True)
    server.on_delivery(nobody)
    late = Request(b"", {}, Deadline.after(-1), "c" * 16, redelivered=False)
    assert server._reply_to(late) is None
    assert notes.events == [ServerEvent.REDELIVERED, ServerEvent.BAD_REQUEST, ServerEvent.EXPIRED]
    assert notes.waits == []
