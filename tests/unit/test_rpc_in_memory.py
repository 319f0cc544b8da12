"""The RPC suite in memory, and the faults that only memory can put in exactly."""

from collections.abc import Iterator

import pytest

from amqp_rpc import BrokerUnavailableError, OverloadedError, RpcClient, RpcServer
from amqp_rpc.in_memory import InMemoryClientTransport, InMemoryQueue, InMemoryServerTransport
from amqp_rpc.server import Handler
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.rpc_suite.harness import Parties
from tests.rpc_suite.parts import call, echo, fails_in
from tests.rpc_suite.suite import RpcSuite


class InMemoryHarness(Parties):
    def __init__(self) -> None:
        super().__init__()
        self.queue = InMemoryQueue()
        self.transports: list[InMemoryClientTransport] = []

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient:
        transport = InMemoryClientTransport(self.queue, ask_every=0.05)
        self.transports.append(transport)
        self.clients.append(RpcClient(transport, grace=grace, max_in_flight=max_in_flight))
        return self.clients[-1]

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        server = RpcServer(InMemoryServerTransport(self.queue, workers), handler, workers=workers)
        server.start()
        self.servers.append(server)
        return server

    def cut(self) -> None:
        for transport in self.transports:
            transport.cut()

    def waiting(self) -> int:
        with self.queue.lock:
            return sum(not message.call.deadline.expired for message in self.queue._ready)


@pytest.fixture
def harness() -> Iterator[InMemoryHarness]:
    harness = InMemoryHarness()
    yield harness
    harness.close()


class TestInMemory(RpcSuite):
    pass


def test_without_a_connection_a_call_fails_within_a_second(harness: InMemoryHarness) -> None:
    harness.server(echo)
    client = harness.client()
    harness.transports[0].refuse()
    assert fails_in(client, BrokerUnavailableError) < 1.0


def test_a_connection_that_comes_back_within_the_patience_serves_the_call(harness: InMemoryHarness) -> None:
    harness.server(echo)
    client = harness.client()
    harness.transports[0].refuse()
    with callers() as pool:
        waiting = pool.submit(call, client)
        harness.transports[0].restore()
        assert waiting.result(1.0) == b"ping"


def test_a_failed_attempt_to_connect_is_said_at_once(harness: InMemoryHarness) -> None:
    client = harness.client()
    harness.transports[0].refuse()
    client.on_disconnected()  # a second failure: the first attempt to reconnect was refused too
    assert fails_in(client, BrokerUnavailableError) < 0.1


def test_who_will_serve_can_wait_for_the_first_connection_but_not_beyond_a_failed_attempt(
    harness: InMemoryHarness,
) -> None:
    client = harness.client()
    assert client.wait_until_connected(Deadline.after(0))
    harness.transports[0].refuse()
    with callers() as pool:
        waiting = pool.submit(client.wait_until_connected, Deadline.after(5))
        harness.transports[0].restore()
        assert waiting.result(1.0)
    harness.transports[0].refuse()
    client.on_disconnected()
    assert not client.wait_until_connected(Deadline.after(5))


def test_a_blocked_broker_is_said_at_once_and_served_again_when_it_resumes(harness: InMemoryHarness) -> None:
    harness.server(echo)
    client = harness.client()
    harness.transports[0].block(blocked=True)
    assert fails_in(client, BrokerUnavailableError) < 0.1
    harness.transports[0].block(blocked=False)
    assert call(client) == b"ping"


def test_a_full_queue_is_said_at_once(harness: InMemoryHarness) -> None:
    harness.server(echo)
    client = harness.client()
    harness.transports[0].reject(full=True)
    assert fails_in(client, OverloadedError) < 0.1
    harness.transports[0].reject(full=False)
    assert call(client) == b"ping"
