"""What the two users of deploy/rabbitmq/definitions.json may not do, and that it is enough for the whole system."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from amqp_rpc import RpcClient, RpcServer, connect_client, connection_parameters
from amqp_rpc.amqp_server import AmqpServerTransport
from scripts.broker_definitions import TEMPLATE
from scripts.brokers import Broker
from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from tests.e2e.conftest import running_system
from tests.rpc_suite.parts import echo, served
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

VHOST = "stock"
ACCESS_REFUSED = 403
Action = Callable[[Any], object]

NOBODY_MAY: dict[str, Action] = {
    "declare a queue": lambda channel: channel.queue_declare("another"),
    "declare a queue for itself": lambda channel: channel.queue_declare("", exclusive=True),
    "declare the queue": lambda channel: channel.queue_declare(REQUEST_QUEUE, durable=True),
    "declare an exchange": lambda channel: channel.exchange_declare("another"),
    "declare the exchange": lambda channel: channel.exchange_declare(REQUEST_EXCHANGE, durable=True),
    "bind the queue elsewhere": lambda channel: channel.queue_bind(REQUEST_QUEUE, "amq.topic", "#"),
    "bind the queue once more": lambda channel: channel.queue_bind(REQUEST_QUEUE, REQUEST_EXCHANGE, "another"),
    "unbind the queue": lambda channel: channel.queue_unbind(REQUEST_QUEUE, REQUEST_EXCHANGE, REQUEST_QUEUE),
    "bind an exchange": lambda channel: channel.exchange_bind("amq.topic", REQUEST_EXCHANGE, "#"),
    "delete the queue": lambda channel: channel.queue_delete(REQUEST_QUEUE),
    "delete the exchange": lambda channel: channel.exchange_delete(REQUEST_EXCHANGE),
    "publish to an exchange of the broker": lambda channel: channel.basic_publish("amq.topic", REQUEST_QUEUE, b""),
}
THE_API_MAY_NOT: dict[str, Action] = NOBODY_MAY | {
    "publish to any queue": lambda channel: channel.basic_publish("", REQUEST_QUEUE, b""),
    "consume": lambda channel: channel.basic_consume(REQUEST_QUEUE, lambda *_: None),
    "get": lambda channel: channel.basic_get(REQUEST_QUEUE),
    "purge": lambda channel: channel.queue_purge(REQUEST_QUEUE),
}
THE_WORKER_MAY_NOT: dict[str, Action] = NOBODY_MAY | {
    "ask for quotes": lambda channel: channel.basic_publish(REQUEST_EXCHANGE, REQUEST_QUEUE, b""),
    "consume another queue": lambda channel: channel.basic_consume("of.somebody.else", lambda *_: None),
    "purge another queue": lambda channel: channel.queue_purge("of.somebody.else"),
}
REFUSED = [("api", what) for what in THE_API_MAY_NOT] + [("worker", what) for what in THE_WORKER_MAY_NOT]


@pytest.fixture(scope="module")
def url_of(broker: Broker) -> Callable[[str], str]:
    """The URL of a user in the virtual host of the project; guest, who is the tests' own, may do everything there."""
    broker.import_definitions(TEMPLATE)
    broker.ctl("set_permissions", "-p", VHOST, "guest", ".*", ".*", ".*")
    return lambda user: broker.url_for(VHOST, user, user)


@pytest.fixture
def channel_of(url_of: Callable[[str], str]) -> Iterator[Callable[[str], Any]]:
    connections: list[pika.BlockingConnection] = []

    def channel(user: str) -> Any:
        connections.append(pika.BlockingConnection(pika.URLParameters(url_of(user))))
        return connections[-1].channel()

    yield channel
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(("user", "what"), REFUSED)
def test_access_is_refused(channel_of: Callable[[str], Any], user: str, what: str) -> None:
    channel_of("guest").queue_declare("of.somebody.else", durable=True)
    channel = channel_of(user)
    channel.confirm_delivery()  # so that a publish waits for what the broker says
    action = (THE_API_MAY_NOT if user == "api" else THE_WORKER_MAY_NOT)[what]
    with pytest.raises(ChannelClosedByBroker) as refused:
        action(channel)
    assert refused.value.reply_code == ACCESS_REFUSED


@pytest.mark.parametrize(("user", "vhost"), [("api", "/"), ("worker", "/")])
def test_another_virtual_host_is_closed(broker: Broker, url_of: Callable[[str], str], user: str, vhost: str) -> None:
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(broker.url_for(vhost, user, user)))


@pytest.mark.timeout(90)
def test_both_services_work_with_these_rights(
    url_of: Callable[[str], str], channel_of: Callable[[str], Any], tmp_path: Path
) -> None:
    stooq = StooqStandIn()
    with running_system("rpc", tmp_path, stooq.url, url_of("api"), url_of("worker")) as system:
        assert system.quote("aapl.us").status_code == 200
        system.stop_stock()
        eventually(lambda: system.quote("msft.us").status_code == 503, within=10.0)
        assert system.quote("msft.us").elapsed.total_seconds() < 1.0  # the API may see that nobody serves
        system.start_stock()
        eventually(lambda: system.quote("msft.us").status_code == 200)
        logs = "".join((tmp_path / f"{name}.log").read_text(encoding="utf-8") for name in ("api", "stock"))
    stooq.close()
    assert logs.count("rpc.topology_given") == 4  # of the API the exchange; of the worker exchange, queue and binding
    assert "rpc.queue_deserted" in logs
    assert "rpc.queue_unseen" not in logs
    assert "rpc.channel_closed" not in logs
    assert channel_of("guest").queue_declare(REQUEST_QUEUE, passive=True).method.message_count == 0


@pytest.fixture
def server(url_of: Callable[[str], str]) -> Iterator[RpcServer]:
    parameters = connection_parameters(url_of("worker"), name="test worker", heartbeat=10)
    server = RpcServer(AmqpServerTransport(parameters, REQUEST_EXCHANGE, REQUEST_QUEUE, prefetch=2), echo, workers=2)
    server.start()
    yield server
    server.drain(1.0)


@pytest.fixture
def client(url_of: Callable[[str], str]) -> Iterator[RpcClient]:
    client = connect_client(url_of("api"), REQUEST_QUEUE, exchange=REQUEST_EXCHANGE, grace=3.0)
    yield client
    client.close()


@pytest.mark.timeout(45)
def test_a_message_that_cannot_be_decoded_is_gone_with_its_time_to_live(
    server: RpcServer, client: RpcClient, channel_of: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The worker's library fails on a date after the year 9999, and the broker delivers the message again."""
    eventually(lambda: served(client))
    channel = channel_of("guest")
    channel.basic_publish("", REQUEST_QUEUE, b"", _UndecodableProperties())
    eventually(lambda: caplog.messages.count("rpc.connection_lost") >= 2)
    eventually(lambda: served(client), within=16.0)  # 8 s to live, 5 s until the next attempt to connect, and a look
    assert channel.queue_declare(REQUEST_QUEUE, passive=True).method.message_count == 0
    losses = caplog.messages.count("rpc.connection_lost")
    assert [served(client) for _ in range(20)] == [True] * 20
    assert caplog.messages.count("rpc.connection_lost") == losses


class _UndecodableProperties(pika.BasicProperties):
    """A header that holds a time 2^60 seconds after 1970: the broker passes it on unread."""

    def encode(self) -> list[bytes]:
        table = b"\x04when" + b"T" + struct.pack(">Q", 2**60)
        return [struct.pack(">H", self.FLAG_HEADERS), struct.pack(">I", len(table)), table]
