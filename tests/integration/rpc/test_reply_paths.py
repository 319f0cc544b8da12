"""The RPC suite over a real broker, on both reply paths."""

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.brokers import Broker
from tests.integration.rpc.harness import RabbitHarness
from tests.rpc_suite.parts import call, echo, served
from tests.rpc_suite.suite import RpcSuite
from tests.waiting import eventually


class TestDirectReplyTo(RpcSuite):
    pass


class TestReplyQueue(RpcSuite):
    @pytest.fixture
    def harness(self, amqp_url: str, queue_name: str) -> Iterator[RabbitHarness]:
        harness = RabbitHarness(amqp_url, queue_name, reply_path="queue")
        yield harness
        harness.close()


def test_a_reply_queue_that_is_deleted_is_made_anew(broker: Broker, queue_name: str) -> None:
    harness = RabbitHarness(broker.url, queue_name, reply_path="queue")
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    transport: Any = client._transport
    broker.ctl("delete_queue", transport._outgoing._reply_to)
    eventually(lambda: served(client), within=10.0)
    harness.close()
