"""What an RPC client tells of its way to a server without sending anything."""

import pytest

from amqp_rpc import RpcClient
from amqp_rpc.in_memory import InMemoryClientTransport, InMemoryQueue
from amqp_rpc.messages import QueueState
from service_kit.deadline import Deadline

AT_ONCE = Deadline.after(0.0)


@pytest.fixture
def transport() -> InMemoryClientTransport:
    return InMemoryClientTransport(InMemoryQueue())


@pytest.fixture
def client(transport: InMemoryClientTransport) -> RpcClient:
    return RpcClient(transport, grace=3.0)


def test_it_is_reachable_while_there_is_a_connection_that_takes_messages(
    client: RpcClient, transport: InMemoryClientTransport
) -> None:
    assert client.reachable(AT_ONCE)
    transport.block(blocked=True)
    assert not client.reachable(AT_ONCE)
    transport.block(blocked=False)
    assert client.reachable(AT_ONCE)
    transport.refuse()
    assert not client.reachable(AT_ONCE)
    transport.restore()
    assert client.reachable(AT_ONCE)
    client.close()
    assert not client.reachable(AT_ONCE)


def test_it_is_not_while_the_queue_is_known_to_be_deserted(client: RpcClient) -> None:
    for asked_at in (100.0, 104.0):  # longer than the grace
        client.on_queue_seen(QueueState(asked_at, consumers=0))
    assert not client.reachable(AT_ONCE)
    client.on_queue_seen(QueueState(105.0, consumers=1))
    assert client.reachable(AT_ONCE)
