"""Requests that cannot be answered or sent, replies that nobody waits for, and confirms."""

from typing import Any

import pika
import pytest

from amqp_rpc import BrokerUnavailableError
from amqp_rpc.packs import MESSAGE_TYPE, MOST_IN_ONE, part
from amqp_rpc.wire import table
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness, declare
from tests.rpc_suite.parts import Gate, call, echo
from tests.waiting import SOON, eventually


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"correlation_id": "0123456789abcdef"},
        {"reply_to": "amq.rabbitmq.reply-to.x", "correlation_id": "short"},
        {"reply_to": "stock.quotes.v1", "correlation_id": "0123456789abcdef"},
        {"reply_to": "", "correlation_id": "0123456789abcdef"},
        {"reply_to": "amq.gen-" + "x" * 240, "correlation_id": "0123456789abcdef"},
        {"reply_to": b"amq.gen-\xff", "correlation_id": "0123456789abcdef"},
        {"reply_to": "amq.gen-x", "correlation_id": b"\xff" * 16},
    ],
)
def test_a_request_that_cannot_be_answered_is_acknowledged_and_not_handled(
    harness: RabbitHarness, raw_channel: Any, properties: dict[str, Any]
) -> None:
    handled: list[bytes] = []
    harness.server(lambda request: handled.append(request.body) or b"pong")
    raw_channel.basic_publish("", harness.queue, b"nobody", pika.BasicProperties(**properties))
    assert call(harness.client(), b"somebody") == b"pong"
    assert handled == [b"somebody"]
    for server in harness.servers:
        server.drain(SOON)
    assert raw_channel.queue_declare(harness.queue, passive=True).method.message_count == 0


GOOD = part("0123456789abcdef", table({}), b"nobody")


@pytest.mark.parametrize(
    "body",
    [b"", b"nothing of the kind", GOOD + b"\x01", GOOD * (MOST_IN_ONE + 1)],
    ids=["", "text", "cut", "too many"],
)
def test_what_is_no_pack_is_acknowledged_and_not_handled(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    handled: list[bytes] = []
    # Of one message at a time: what is not acknowledged keeps the next one out.
    harness.server(lambda request: handled.append(request.body) or b"pong", workers=1)
    properties = pika.BasicProperties(type=MESSAGE_TYPE, reply_to="amq.rabbitmq.reply-to.x")
    raw_channel.basic_publish("", harness.queue, body, properties)
    assert call(harness.client(), b"somebody") == b"pong"
    assert handled == [b"somebody"]
    assert "rpc.bad_envelope" in caplog.messages
    for server in harness.servers:
        server.drain(SOON)
    assert raw_channel.queue_declare(harness.queue, passive=True).method.message_count == 0


def test_replies_that_nobody_waits_for_are_ignored(harness: RabbitHarness, raw_channel: Any) -> None:
    """A server of the test's own answers with the wrong id, then twice with the right one."""
    declare(raw_channel, harness.queue)
    client = harness.client()
    with callers() as pool:
        waiting = pool.submit(call, client)
        method, properties, body = next(raw_channel.consume(harness.queue, inactivity_timeout=SOON))
        for correlation_id in ("0" * 32, properties.correlation_id, properties.correlation_id):
            answer = pika.BasicProperties(correlation_id=correlation_id)
            raw_channel.basic_publish("", properties.reply_to, body, answer)
        raw_channel.basic_ack(method.delivery_tag)
        assert waiting.result(SOON) == b"ping"
    eventually(lambda: client.orphan_replies == 2)
    assert properties.expiration is not None
    assert 0 < int(properties.expiration) <= SOON * 1000
    assert properties.headers["x-budget-ms"] == int(properties.expiration)
    assert properties.delivery_mode == pika.DeliveryMode.Transient.value
    raw_channel.cancel()
    harness.server(echo)
    assert call(client) == b"ping"


def test_what_cannot_be_sent_costs_nobody_else_an_answer(harness: RabbitHarness) -> None:
    gate = Gate()
    harness.server(gate)
    client = harness.client()
    unsendable: Any = {"x": object()}
    with callers() as pool:
        waiting = pool.submit(call, client)
        gate.wait_for(1)
        with pytest.raises(BrokerUnavailableError):
            client.call(b"", deadline=Deadline.after(SOON), headers=unsendable)
        gate.open()
        assert waiting.result(SOON) == b"ping"
    assert gate.bodies == [b"ping"]


def test_confirms_leave_nothing_behind(harness: RabbitHarness) -> None:
    harness.server(echo)
    client = harness.client()
    with callers(32) as pool:
        list(pool.map(lambda _: call(client), range(500)))
    transport: Any = client._transport
    eventually(lambda: len(transport._unconfirmed) == 0)
