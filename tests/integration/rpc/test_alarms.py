"""An alarm of the broker, which blocks those who publish."""

import threading
from contextlib import closing
from typing import Any

import pika
import pytest

from amqp_rpc import BrokerUnavailableError
from scripts.brokers import Broker
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness
from tests.rpc_suite.parts import Gate, call, echo, fails_in, served
from tests.waiting import SOON, eventually


def test_a_memory_alarm_is_said_at_once_and_calls_go_through_after_it(
    own_harness: RabbitHarness, broker: Broker
) -> None:
    own_harness.server(echo)
    client = own_harness.client()
    assert call(client) == b"ping"
    broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        eventually(lambda: not served(client))  # the broker notices the publishing connection when it next publishes
        assert fails_in(client, BrokerUnavailableError) < 0.1
    finally:
        broker.ctl("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: served(client), within=10.0)


def test_a_blocked_server_opens_no_channel_beside_one_that_is_not_open_yet(
    own_harness: RabbitHarness, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other tick declares what is ours once more, on a channel of its own."""
    monkeypatch.setattr("amqp_rpc.amqp_server._TICK", 0.005)
    client = own_harness.client()
    gate, ticks = Gate(), threading.Semaphore(0)
    server = own_harness.server_that_starts(gate, on_alive=ticks.release)
    transport: Any = server._transport
    _take(ticks, 1)  # it consumes
    with callers() as pool:
        pool.submit(call, client)
        gate.wait_for(1)
        channels = transport._connection._channels
        broker.ctl("set_vm_memory_high_watermark", "0")
        try:
            gate.open()  # the reply is what the broker blocks the connection for
            _take(ticks, 100)
            assert len(channels) <= 2  # the one that consumes, and the one of the round
        finally:
            broker.ctl("set_vm_memory_high_watermark", "0.4")
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        eventually(lambda: served(client), within=10.0)
        connection.channel().exchange_delete(own_harness.queue)
    eventually(lambda: served(client), within=10.0)


def _take(semaphore: threading.Semaphore, count: int) -> None:
    while semaphore.acquire(blocking=False):
        pass
    for _ in range(count):
        assert semaphore.acquire(timeout=SOON)
