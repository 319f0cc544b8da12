"""In an upgrade old and new run side by side: each process meets what the version before writes, byte for byte."""

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from tests.e2e.conftest import ANSWER_SECONDS, System
from tests.stand_ins import StooqStandIn
from tests.unit.contract.messages import previous

_REPLY_QUEUE = "amq.rabbitmq.reply-to"
_CORRELATION_ID = "0123456789abcdef"
_DEADLINE_MS = 6000
_OPEN = "/failures_by_kind"  # whose names are those of what happened


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory, stooq: StooqStandIn, module_amqp_url: str) -> System:
    """Neither process runs yet."""
    system = System("rpc", tmp_path_factory.mktemp("alone"), stooq.url, module_amqp_url)
    system.prepare()
    return system


@pytest.fixture
def channel(module_amqp_url: str) -> Iterator[BlockingChannel]:
    with closing(pika.BlockingConnection(pika.URLParameters(module_amqp_url))) as connection:
        yield connection.channel()


@pytest.fixture
def worker(alone: System) -> Iterator[System]:
    """The stock service of today."""
    alone.start_stock()
    yield alone
    alone.stop_stock()


@pytest.fixture
def api(alone: System, module_amqp_url: str) -> Iterator[System]:
    """The API of today, beside a worker of the version before that answers everything with one quote of Apple."""
    with older_worker(module_amqp_url, previous("reply_quote")):
        child = alone.start_api()
        yield alone
        alone.stop_api(child)


@contextmanager
def older_worker(amqp_url: str, reply: bytes) -> Iterator[None]:
    def answer(channel: BlockingChannel, method: Basic.Deliver, asked: pika.BasicProperties, _: bytes) -> None:
        properties = pika.BasicProperties(correlation_id=asked.correlation_id)
        channel.basic_publish("", asked.reply_to, reply, properties)
        channel.basic_ack(method.delivery_tag)

    with closing(pika.BlockingConnection(pika.URLParameters(amqp_url))) as connection, ThreadPoolExecutor(1) as pool:
        channel = connection.channel()
        channel.exchange_declare(REQUEST_EXCHANGE, "direct", durable=True)
        channel.queue_declare(REQUEST_QUEUE, durable=True)
        channel.queue_bind(REQUEST_QUEUE, REQUEST_EXCHANGE)
        channel.basic_consume(REQUEST_QUEUE, answer)
        serving = pool.submit(channel.start_consuming)
        try:
            yield
        finally:
            connection.add_callback_threadsafe(channel.stop_consuming)
            serving.result(ANSWER_SECONDS)


def ask(channel: BlockingChannel, request: bytes) -> dict[str, Any]:
    """As an API of the version before does, which sends no header but the budget."""
    replies: list[tuple[pika.BasicProperties, bytes]] = []
    channel.basic_consume(_REPLY_QUEUE, lambda *delivered: replies.append(delivered[2:]), auto_ack=True)
    properties = pika.BasicProperties(
        correlation_id=_CORRELATION_ID,
        reply_to=_REPLY_QUEUE,
        expiration=str(_DEADLINE_MS),
        headers={"x-budget-ms": _DEADLINE_MS},
    )
    channel.basic_publish(REQUEST_EXCHANGE, REQUEST_QUEUE, request, properties, mandatory=True)
    while not replies:
        channel.connection.process_data_events(ANSWER_SECONDS)
    ((answered, body),) = replies
    assert answered.correlation_id == _CORRELATION_ID
    answer: dict[str, Any] = json.loads(body)
    return answer


def shape(message: Any, place: str = "") -> dict[str, set[type]]:
    """Of what kinds the values are at each place of a message; a null is of none."""
    kinds = defaultdict(set, {place: set() if message is None else {type(message)}})
    inside: list[tuple[str, Any]] = []
    if isinstance(message, list):
        inside = [(place, each) for each in message]
    elif isinstance(message, dict) and not place.endswith(_OPEN):
        inside = [(f"{place}/{name}", each) for name, each in message.items()]
    for below, each in inside:
        for found, of in shape(each, below).items():
            kinds[found] |= of
    return kinds


@pytest.mark.parametrize(
    ("request_name", "reply_name"),
    [
        ("request", "reply_quote"),
        ("request_batch", "reply_batch"),
        ("request_provider_status", "reply_provider_status"),
    ],
)
def test_an_older_api_gets_from_the_worker_what_it_knows(
    worker: System, channel: BlockingChannel, request_name: str, reply_name: str
) -> None:
    """What it does not know it ignores; all that it reads must be there."""
    reply, known = ask(channel, previous(request_name)), json.loads(previous(reply_name))
    assert reply["version"] == known["version"]
    replied = shape(reply)
    for place, kinds in shape(known).items():
        assert place in replied, place
        assert not kinds or replied[place] <= kinds, place


def test_the_api_serves_and_saves_the_quote_of_an_older_worker(api: System) -> None:
    answer = api.get("/api/v1/stock?q=aapl.us")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"symbol": "AAPL.US", "company_name": "APPLE", "quote": 149.99}
    assert answer.headers["Quote-As-Of"] == "2021-11-12T21:00:10Z"
    (row,) = api.get("/api/v1/users/history").json()
    assert (row["symbol"], row["close"]) == ("AAPL.US", 149.99)
