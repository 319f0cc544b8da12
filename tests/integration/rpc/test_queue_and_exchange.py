"""Queue and exchange that are deleted, made otherwise, missing or full."""

from typing import Any

import pytest

from amqp_rpc import BrokerUnavailableError, NoServerError, OverloadedError
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness, declare
from tests.rpc_suite.parts import Gate, call, echo, fails_in, served
from tests.waiting import SOON, eventually


def test_a_queue_that_is_deleted_is_declared_and_consumed_again(harness: RabbitHarness, raw_channel: Any) -> None:
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    raw_channel.queue_delete(harness.queue)
    eventually(lambda: served(client), within=10.0)


def test_an_exchange_that_is_deleted_is_declared_and_bound_again(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    raw_channel.exchange_delete(harness.queue)
    with pytest.raises((BrokerUnavailableError, NoServerError)):
        call(client)
    assert "rpc.channel_closed" in caplog.messages
    eventually(lambda: served(client), within=10.0)


@pytest.mark.parametrize("part", ["exchange", "queue"])
def test_what_the_operator_made_otherwise_is_used_as_it_is(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    if part == "exchange":
        raw_channel.exchange_declare(harness.queue, "topic", durable=True)
    else:
        raw_channel.queue_declare(harness.queue, durable=True, arguments={"x-queue-type": "quorum"})
    caplog.set_level("INFO", logger="amqp_rpc")
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    harness.cut()
    assert call(client) == b"ping"
    given = [vars(record) for record in caplog.records if record.message == "rpc.topology_given"]
    told = {(each["name"], each["part"], each["code"]) for each in given}
    assert told == {("amqp_rpc.topology", part, 406)}
    assert len(given) == (2 if part == "exchange" else 1)  # once in each process, and both declare the exchange


def test_a_server_without_its_queue_knocks_with_pauses_and_serves_once_it_is_there(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amqp_rpc.amqp_server.SERVER_PARTS", ())  # as one that may declare nothing
    harness.server_that_starts(echo)
    eventually(lambda: caplog.messages.count("rpc.channel_closed") >= 4, within=10.0)
    times = [record.created for record in caplog.records if record.message == "rpc.channel_closed"]
    assert times[3] - times[0] >= 0.15  # three pauses of at least 0.05 s, and growing
    declare(raw_channel, harness.queue)
    client = harness.client()
    eventually(lambda: served(client), within=10.0)


def test_a_full_queue_is_said_at_once_and_logged_once_a_second(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    raw_channel.queue_declare(harness.queue, durable=True, arguments=arguments)
    gate = Gate()
    harness.server(gate, workers=1)
    client = harness.client()
    with callers(2) as pool:
        taken = pool.submit(call, client, b"taken")
        gate.wait_for(1)
        waiting = pool.submit(call, client, b"waiting")
        eventually(lambda: _ready_messages(raw_channel, harness.queue) == 1)
        for _ in range(50):
            assert fails_in(client, OverloadedError) < 0.1
        gate.open()
        assert (taken.result(SOON), waiting.result(SOON)) == (b"taken", b"waiting")
    nacked = [vars(record) for record in caplog.records if record.message == "rpc.nacked"]
    assert 1 <= len(nacked) <= 5
    assert call(client) == b"ping"


def _ready_messages(channel: Any, queue: str) -> int:
    count: int = channel.queue_declare(queue, passive=True).method.message_count
    return count
