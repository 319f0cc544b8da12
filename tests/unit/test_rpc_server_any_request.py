"""Whatever arrives as a request is finished exactly once, and answered only to an address that a broker made."""

import queue
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amqp_rpc import Request, RpcServer
from amqp_rpc.messages import BUDGET_HEADER, Delivery, Reply
from amqp_rpc.transport import ServerListener

SECONDS = 5.0
ADDRESSES = st.sampled_from(
    [
        "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAx",
        "amq.gen-3fWz",
        "stock.quotes.v1",
        "amq.direct",
        "",
        "amq.gen-" + "x" * 256,
    ]
)
IDS = st.sampled_from(["0123456789abcdef", "f" * 64, "short", "0123456789abcde\n", ""])
FOREIGN = st.none() | st.text(max_size=300) | st.binary(max_size=300) | st.integers(-(2**63), 2**63 - 1)
VALUES = FOREIGN | st.booleans() | st.floats() | st.datetimes() | st.lists(FOREIGN, max_size=2)


class RecordingTransport:
    def __init__(self) -> None:
        self.finished: queue.SimpleQueue[tuple[Delivery, Reply | None]] = queue.SimpleQueue()

    def start(self, listener: ServerListener) -> None:
        pass

    def finish(self, delivery: Delivery, reply: Reply | None) -> None:
        self.finished.put((delivery, reply))

    def stop_consuming(self, timeout: float) -> None:
        pass

    def close(self) -> None:
        pass


def moody(request: Request) -> Any:
    """Fails on some bodies, and returns no bytes for others."""
    if request.body[:1] < b"\x40":
        raise ZeroDivisionError
    return None if request.body[:1] < b"\x80" else request.body


@pytest.fixture(scope="module")
def transport() -> Iterator[RecordingTransport]:
    return RecordingTransport()


@pytest.fixture(scope="module")
def server(transport: RecordingTransport) -> Iterator[RpcServer]:
    server = RpcServer(transport, moody, workers=1)
    server.start()
    yield server
    assert server.drain(SECONDS)
    assert transport.finished.empty()


@settings(deadline=None, max_examples=300)
@given(
    correlation_id=IDS | FOREIGN,
    reply_to=ADDRESSES | FOREIGN,
    body=st.binary(max_size=64) | st.just(b"x" * 70_000),
    headers=st.dictionaries(st.text(max_size=5) | st.just(BUDGET_HEADER), VALUES, max_size=3),
    redelivered=st.booleans(),
)
def test_any_request_is_finished_once_and_answered_at_most_to_its_own_address(
    server: RpcServer, transport: RecordingTransport, **parts: Any
) -> None:
    delivery = Delivery(token=object(), **parts)
    server.on_delivery(delivery)
    finished, reply = transport.finished.get(timeout=SECONDS)
    assert finished is delivery
    assert transport.finished.empty()
    if reply is not None:
        assert isinstance(delivery.reply_to, str)
        assert re.match(r"amq\.(rabbitmq\.reply-to\.|gen-)\S", delivery.reply_to)
        assert len(delivery.reply_to) < 256
        assert reply.correlation_id == delivery.correlation_id
        assert reply.failed or reply.body == delivery.body
