"""A harness and a plain channel on a queue of the test's own."""

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from scripts.brokers import Broker
from tests.integration.rpc.harness import RabbitHarness


@pytest.fixture
def harness(amqp_url: str, queue_name: str) -> Iterator[RabbitHarness]:
    harness = RabbitHarness(amqp_url, queue_name)
    yield harness
    harness.close()


@pytest.fixture
def own_harness(broker: Broker, queue_name: str) -> Iterator[RabbitHarness]:
    """On our own broker, whose levers the test may use."""
    harness = RabbitHarness(broker.url, queue_name)
    yield harness
    harness.close()


@pytest.fixture
def raw_channel(amqp_url: str) -> Iterator[Any]:
    """A plain channel, to send what no well-behaved client sends."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    yield connection.channel()
    connection.close()
