"""Calls that leave at the same moment share a message and nothing else: each has its own deadline and its own end."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Any

import pika
import pytest

from amqp_rpc import CallTimeoutError, NoServerError, OverloadedError, RemoteError, Request, RpcClient
from amqp_rpc.packs import MESSAGE_TYPE, parts_in
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness, declare
from tests.rpc_suite.parts import Gate, call, echo
from tests.waiting import SOON, eventually

BODIES = [b"a", b"b", b"c", b"d", b"e"]


@contextmanager
def held_back(client: RpcClient) -> Iterator[None]:
    """What is called inside leaves together at the end: the I/O thread is busy until then."""
    transport: Any = client._transport
    release = threading.Event()
    transport._link.run_soon(lambda: release.wait(SOON))
    try:
        yield
    finally:
        release.set()


def call_together(client: RpcClient, bodies: list[bytes], seconds: list[float] | None = None) -> list[Future[bytes]]:
    """One call of each body, in this order, in as few messages as there may be."""
    budgets = seconds or [SOON] * len(bodies)
    with callers(len(bodies)) as pool, held_back(client):
        calls = []
        for number, (body, budget) in enumerate(zip(bodies, budgets, strict=True), start=1):
            calls.append(pool.submit(call, client, body, budget))
            eventually(lambda number=number: waiting_to_leave(client) == number)
    return calls


def published(client: RpcClient) -> int:
    """How many messages have left since the connection was made."""
    transport: Any = client._transport
    return int(transport._unconfirmed._last_tag)


def waiting_to_leave(client: RpcClient) -> int:
    transport: Any = client._transport
    return len(transport._link._outbox)


@pytest.fixture
def client(harness: RabbitHarness, raw_channel: Any) -> RpcClient:
    """A client that has seen one consumer; it is a server of the test's own, which `next_message` reads for."""
    declare(raw_channel, harness.queue)
    raw_channel.basic_qos(prefetch_count=1)
    client = harness.client()
    with callers() as pool:
        first = pool.submit(call, client)
        answer_each(raw_channel, *next_message(raw_channel, harness.queue))
        assert first.result(SOON) == b"ping"
    know_of_consumers(client, 1)
    return client


def know_of_consumers(client: RpcClient, count: int) -> None:
    transport: Any = client._transport
    eventually(lambda: transport._consumers == count)


def next_message(channel: Any, queue: str) -> tuple[Any, pika.BasicProperties, bytes]:
    method, properties, body = next(channel.consume(queue, inactivity_timeout=SOON))
    assert method
    return method, properties, body


def answer_each(channel: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
    for correlation_id, _, asked in parts_in(properties.type, properties.correlation_id, None, body):
        channel.basic_publish("", properties.reply_to, asked, pika.BasicProperties(correlation_id=correlation_id))
    channel.basic_ack(method.delivery_tag)


def test_calls_that_leave_together_share_a_message_and_keep_their_deadlines(
    harness: RabbitHarness, raw_channel: Any, client: RpcClient
) -> None:
    with callers() as pool:
        together = pool.submit(call_together, client, BODIES, [SOON, 2.0, SOON, SOON, SOON])
        method, properties, body = next_message(raw_channel, harness.queue)
        answer_each(raw_channel, method, properties, body)
        assert [each.result() for each in together.result(SOON)] == BODIES
    parts = parts_in(properties.type, None, None, body)
    assert properties.type == MESSAGE_TYPE
    assert [part.body for part in parts] == BODIES
    budgets = [part.headers["x-budget-ms"] for part in parts]
    assert budgets[1] <= 2000 < min(budgets[0], *budgets[2:])
    assert int(properties.expiration or "0") == max(budgets)


def test_each_gets_its_own_answer_and_its_own_error(harness: RabbitHarness) -> None:
    gate = Gate()

    def handle(request: Request) -> bytes:
        if request.body == b"broken":
            raise ValueError(request.body)
        return gate(request) if request.body == b"slow" else request.body

    harness.server(handle)
    client = harness.client()
    assert call(client) == b"ping"
    know_of_consumers(client, 1)
    with callers() as pool:
        together = pool.submit(
            call_together, client, [b"a", b"slow", b"broken", b"slow", b"b"], [SOON, 2.0, *[SOON] * 3]
        )
        gate.wait_for(2)
        eventually(lambda: client.in_flight == 1)  # the other slow one; the first has run out of its own time
        gate.open()
        first, hurried, broken, slow, last = together.result(SOON)
    assert (first.result(), slow.result(), last.result()) == (b"a", b"slow", b"b")
    assert isinstance(hurried.exception(), CallTimeoutError)
    assert isinstance(broken.exception(), RemoteError)
    assert harness.waiting() == 0


def test_a_message_is_acknowledged_with_its_last_call_and_served_again_until_then(harness: RabbitHarness) -> None:
    stuck = Gate()
    harness.server(lambda request: stuck(request) if request.body == b"c" else request.body)
    client = harness.client()
    assert call(client) == b"ping"
    know_of_consumers(client, 1)
    with callers() as pool:
        together = pool.submit(call_together, client, BODIES)
        stuck.wait_for(1)
        eventually(lambda: client.in_flight == 1)
        harness.server(echo)  # takes over what the first one loses now
        server: Any = harness.servers[0]
        link = server._transport._link
        link.run_soon(lambda: link.abort("cut by the test"))
        assert [each.result() for each in together.result(SOON)] == BODIES
    stuck.open()
    eventually(lambda: client.orphan_replies == len(BODIES) - 1)  # those that were answered twice


def test_a_queue_that_is_gone_is_said_to_each(harness: RabbitHarness, raw_channel: Any, client: RpcClient) -> None:
    raw_channel.cancel()
    raw_channel.queue_delete(harness.queue)
    before = published(client)
    for each in call_together(client, BODIES):
        assert isinstance(each.exception(SOON), NoServerError)
    assert published(client) == before + 1


def test_a_full_queue_is_said_to_each(harness: RabbitHarness, raw_channel: Any) -> None:
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    raw_channel.queue_declare(harness.queue, durable=True, arguments=arguments)
    gate = Gate()
    harness.server(gate, workers=1)
    client = harness.client()
    with callers(2) as pool:
        inside = pool.submit(call, client, b"taken")
        gate.wait_for(1)
        know_of_consumers(client, 1)
        waiting = pool.submit(call, client, b"waiting")
        eventually(lambda: harness.waiting() == 1)
        before = published(client)
        for each in call_together(client, BODIES):
            assert isinstance(each.exception(SOON), OverloadedError)
        assert published(client) == before + 1
        gate.open()
        assert (inside.result(SOON), waiting.result(SOON)) == (b"taken", b"waiting")


def test_a_server_that_stops_answers_all_of_a_message_first(harness: RabbitHarness) -> None:
    stuck = Gate()
    server = harness.server(lambda request: stuck(request) if request.body == b"c" else request.body)
    client = harness.client()
    assert call(client) == b"ping"
    know_of_consumers(client, 1)
    with callers(2) as pool:
        together = pool.submit(call_together, client, BODIES)
        stuck.wait_for(1)
        eventually(lambda: client.in_flight == 1)
        stopping = pool.submit(server.drain, SOON)
        eventually(lambda: consumers_of(harness) == 0)
        stuck.open()
        assert stopping.result(SOON) is True
        assert [each.result() for each in together.result(SOON)] == BODIES
    assert harness.waiting() == 0
    assert client.orphan_replies == 0


def consumers_of(harness: RabbitHarness) -> int:
    with closing(pika.BlockingConnection(pika.URLParameters(harness.url))) as connection:
        count: int = connection.channel().queue_declare(harness.queue, passive=True).method.consumer_count
        return count


def test_a_client_that_loses_its_connection_asks_again_for_all_of_a_message(harness: RabbitHarness) -> None:
    gate = Gate()
    harness.server(gate, workers=2 * len(BODIES))
    client = harness.client()
    with callers(2) as pool:
        first = pool.submit(call, client)
        gate.wait_for(1)
        know_of_consumers(client, 1)
        together = pool.submit(call_together, client, BODIES)
        gate.wait_for(len(BODIES))
        harness.cut()
        gate.open()
        assert first.result(SOON) == b"ping"
        assert [each.result() for each in together.result(SOON)] == BODIES


def test_two_servers_get_equal_shares(harness: RabbitHarness) -> None:
    gates = [Gate(), Gate()]
    for gate in gates:
        harness.server(gate)
    client = harness.client()
    with callers(2) as pool:
        first = pool.submit(call, client)
        know_of_consumers(client, 2)
        together = pool.submit(call_together, client, BODIES + BODIES[:3])
        for gate in gates:
            gate.wait_for(4)
        for gate in gates:
            gate.open()
        assert first.result(SOON) == b"ping"
        assert [each.result(SOON) for each in together.result(SOON)] == BODIES + BODIES[:3]
    assert sorted(len(gate.bodies) for gate in gates) == [4, 5]


def test_replies_that_are_no_pack_cost_nobody_an_answer(
    harness: RabbitHarness, raw_channel: Any, client: RpcClient, caplog: pytest.LogCaptureFixture
) -> None:
    with callers() as pool:
        waiting = pool.submit(lambda: client.call(b"ping", deadline=Deadline.after(SOON)))
        method, properties, body = next_message(raw_channel, harness.queue)
        raw_channel.basic_publish("", properties.reply_to, b"x", pika.BasicProperties(type=MESSAGE_TYPE))
        answer_each(raw_channel, method, properties, body)
        assert waiting.result(SOON) == b"ping"
    assert "rpc.bad_pack" in caplog.messages
