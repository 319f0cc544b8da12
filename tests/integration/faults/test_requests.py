"""Rows 27 and 29 of docs/reliability.md: requests that no honest API would send, to the real worker.

Row 28, reply addresses that no broker makes, is in tests/integration/rpc/test_messages.py.
"""

import json
import secrets
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from tests.fault_system import FaultSystem
from tests.integration.faults.conftest import Watch, expect_log

pytestmark = pytest.mark.timeout(60)
REPLY_TO = "amq.rabbitmq.reply-to"


def ask_raw(channel: BlockingChannel, body: bytes) -> tuple[Any, bytes]:
    """Send `body` as it is and wait for the reply: its properties and its body."""
    replies = channel.consume(REPLY_TO, auto_ack=True, inactivity_timeout=5)
    properties = pika.BasicProperties(reply_to=REPLY_TO, correlation_id=secrets.token_hex(16), expiration="6000")
    # Direct reply-to wants its consumer first, and the generator begins to consume when it is first asked.
    channel.connection.call_later(0, lambda: channel.basic_publish(REQUEST_EXCHANGE, REQUEST_QUEUE, body, properties))
    _, properties, reply = next(replies)
    channel.cancel()
    return properties, reply


UNREADABLE = {
    "nothing": b"",
    "not JSON": b"not json",
    "not UTF-8": b"\xff\xfe\x00",
    "deep nesting": b"[" * 60_000,
    "no symbols": b'{"version": 1, "request_id": "r"}',
    "no symbol": b'{"version": 1, "request_id": "r", "symbols": ["../../etc"]}',
    "a number of symbols": b'{"version": 1, "request_id": "r", "symbols": 7}',
    "version 99": b'{"version": 99, "request_id": "r", "symbols": ["aapl.us"]}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_request_that_cannot_be_read_gets_an_error_and_nothing_more(
    system: FaultSystem, watch: Watch, raw_channel: BlockingChannel, what: str
) -> None:
    code = "unsupported_version" if what == "version 99" else "bad_request"
    _, reply = ask_raw(raw_channel, UNREADABLE[what])
    message = json.loads(reply)
    assert message["failure"]["code"] == code
    assert set(message) == {"version", "failure"}
    expect_log(watch.worker_log, "worker.bad_request", level="warning", code=code)
    assert raw_channel.queue_declare(REQUEST_QUEUE, passive=True).method.message_count == 0


def test_a_request_of_1_mb_is_refused_unread(system: FaultSystem, watch: Watch, raw_channel: BlockingChannel) -> None:
    properties, reply = ask_raw(raw_channel, b"x" * 1_000_000)
    assert (properties.headers, reply) == ({"x-rpc-failed": True}, b"")
    expect_log(watch.worker_log, "rpc.body_too_large", level="warning", bytes=1_000_000)
