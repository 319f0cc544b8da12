"""The RPC suite over a real broker, on both reply paths, and what only a broker can do."""

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pika
import pytest

from amqp_rpc import (
    BrokerUnavailableError,
    CallTimeoutError,
    RpcClient,
    RpcError,
    RpcServer,
    connect_client,
    connection_parameters,
)
from amqp_rpc.amqp_client import ReplyPath
from amqp_rpc.amqp_server import AmqpServerTransport
from amqp_rpc.server import Handler
from scripts.brokers import Broker
from service_kit.deadline import Deadline
from tests.rpc_suite import SOON, Gate, RpcSuite, callers, echo, elapsed, eventually


class RabbitHarness:
    def __init__(self, url: str, queue: str, reply_path: ReplyPath = "direct") -> None:
        self.url = url
        self.queue = queue
        self.reply_path = reply_path
        self.clients: list[RpcClient] = []
        self.servers: list[RpcServer] = []

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient:
        self.clients.append(
            connect_client(self.url, self.queue, grace=grace, max_in_flight=max_in_flight, reply_path=self.reply_path)
        )
        return self.clients[-1]

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        consuming = threading.Event()
        parameters = connection_parameters(self.url, name="test server", heartbeat=10)
        transport = AmqpServerTransport(parameters, self.queue, prefetch=workers, on_alive=consuming.set)
        server = RpcServer(transport, handler, workers=workers)
        server.start()
        self.servers.append(server)
        assert consuming.wait(SOON)
        return server

    def cut(self) -> None:
        for client in self.clients:
            link: Any = client._transport._link
            link.run_soon(lambda link=link: link.abort("cut by the test"))

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.drain(1.0)


@pytest.fixture
def harness(amqp_url: str, queue_name: str) -> Iterator[RabbitHarness]:
    harness = RabbitHarness(amqp_url, queue_name)
    yield harness
    harness.close()


class TestDirectReplyTo(RpcSuite):
    pass


class TestReplyQueue(RpcSuite):
    @pytest.fixture
    def harness(self, amqp_url: str, queue_name: str) -> Iterator[RabbitHarness]:
        harness = RabbitHarness(amqp_url, queue_name, reply_path="queue")
        yield harness
        harness.close()


def call(client: RpcClient, body: bytes = b"ping", seconds: float = SOON) -> bytes:
    return client.call(body, deadline=Deadline.after(seconds))


def served(client: RpcClient) -> bool:
    try:
        return call(client, seconds=1.0) == b"ping"
    except RpcError:
        return False


@pytest.fixture
def raw_channel(amqp_url: str) -> Iterator[Any]:
    """A plain channel, to send what no well-behaved client sends."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    yield connection.channel()
    connection.close()


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


def test_replies_that_nobody_waits_for_are_ignored(harness: RabbitHarness, raw_channel: Any) -> None:
    """A server of the test's own answers with the wrong id, then twice with the right one."""
    raw_channel.queue_declare(harness.queue, durable=True)
    client = harness.client()
    with callers() as pool:
        waiting = pool.submit(call, client)
        method, properties, body = next(raw_channel.consume(harness.queue, inactivity_timeout=SOON))
        for correlation_id in ("0" * 32, properties.correlation_id, properties.correlation_id):
            answer = pika.BasicProperties(correlation_id=correlation_id)
            raw_channel.basic_publish("", properties.reply_to, body, answer)
        raw_channel.basic_ack(method.delivery_tag)
        assert waiting.result(SOON) == b"ping"
    assert properties.expiration is not None
    assert 0 < int(properties.expiration) <= SOON * 1000
    assert properties.headers["x-budget-ms"] == int(properties.expiration)
    assert properties.delivery_mode == pika.DeliveryMode.Transient.value
    raw_channel.cancel()
    harness.server(echo)
    assert call(client) == b"ping"


def test_a_process_that_calls_has_one_connection(broker: Broker, queue_name: str) -> None:
    harness = RabbitHarness(broker.url, queue_name)
    harness.server(echo)
    client = harness.client()
    with callers(16) as pool:
        list(pool.map(lambda _: call(client), range(200)))
    listed = json.loads(broker.ctl("list_connections", "client_properties", "--formatter", "json"))
    harness.close()
    assert sum(queue_name in str(connection) for connection in listed) == 1


def test_a_queue_that_is_deleted_is_declared_and_consumed_again(harness: RabbitHarness, raw_channel: Any) -> None:
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    raw_channel.queue_delete(harness.queue)
    eventually(lambda: served(client), within=10.0)


def test_a_queue_declared_otherwise_is_reported_and_not_hammered(
    harness: RabbitHarness, raw_channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    raw_channel.queue_declare(harness.queue, durable=True, arguments={"x-max-length": 1})
    parameters = connection_parameters(harness.url, name="test server", heartbeat=10)
    server = RpcServer(AmqpServerTransport(parameters, harness.queue, prefetch=1), echo, workers=1)
    with caplog.at_level("ERROR", logger="amqp_rpc"):
        server.start()
        eventually(lambda: "rpc.channel_closed" in caplog.messages)
        eventually(lambda: caplog.messages.count("rpc.channel_closed") >= 4, within=10.0)
    server.drain(1.0)
    times = [record.created for record in caplog.records if record.getMessage() == "rpc.channel_closed"]
    assert times[3] - times[0] >= 0.15  # three pauses of at least 0.05 s, and growing


def test_a_memory_alarm_is_said_at_once_and_calls_go_through_after_it(broker: Broker, queue_name: str) -> None:
    harness = RabbitHarness(broker.url, queue_name)
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        eventually(lambda: not served(client))  # the broker notices the publishing connection when it next publishes

        def refused() -> None:
            with pytest.raises(BrokerUnavailableError):
                call(client)

        assert elapsed(refused) < 0.1
    finally:
        broker.ctl("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: served(client), within=10.0)
    harness.close()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("how", ["stop_app", "kill"])
def test_a_broker_restart_fails_calls_in_time_and_is_got_over(broker: Broker, queue_name: str, how: str) -> None:
    harness = RabbitHarness(broker.url, queue_name)
    harness.server(echo)
    client = harness.client()
    stop = threading.Event()
    outcomes: list[tuple[str, float]] = []

    def steady() -> None:
        while not stop.is_set():
            started = time.monotonic()
            outcomes.append((_outcome(lambda: call(client, seconds=2.0)), time.monotonic() - started))
            stop.wait(0.05)

    with callers(4) as pool:
        runs = [pool.submit(steady) for _ in range(4)]
        eventually(lambda: len(outcomes) > 20)
        _take_down(broker, how)
        eventually(lambda: outcomes[-1][0] == "BrokerUnavailableError", within=10.0)
        _bring_back(broker, how)
        back_at = time.monotonic()
        eventually(lambda: outcomes[-1][0] == "answered", within=10.0)
        recovered_in = time.monotonic() - back_at
        stop.set()
        for run in runs:
            run.result(SOON)
    harness.close()
    assert recovered_in < 10.0
    assert max(seconds for _, seconds in outcomes) < 3.0
    allowed = {"answered", "BrokerUnavailableError", "ConnectionLostError", "CallTimeoutError", "NoServerError"}
    assert {name for name, _ in outcomes} <= allowed
    assert client.in_flight == 0


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except RpcError as error:
        return type(error).__name__
    return "answered"


def _take_down(broker: Broker, how: str) -> None:
    if how == "kill":
        broker.kill()
    else:
        broker.stop_app()


def _bring_back(broker: Broker, how: str) -> None:
    if how == "kill":
        broker.start()
    else:
        broker.start_app()


def test_a_frozen_server_costs_its_callers_their_deadline_only(harness: RabbitHarness) -> None:
    gate = Gate()
    harness.server(gate, workers=1)
    client = harness.client()
    with pytest.raises(CallTimeoutError):
        call(client, seconds=0.3)
    gate.open()
    eventually(lambda: served(client))


def test_a_broker_that_nobody_listens_at_is_said_within_a_second(unused_port: int) -> None:
    client = connect_client(f"amqp://guest:guest@127.0.0.1:{unused_port}/%2F", "test.none", grace=3.0)

    def refused() -> None:
        with pytest.raises(BrokerUnavailableError):
            call(client)

    assert elapsed(refused) < 1.0
    assert elapsed(refused) < 0.1
    client.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is bound, so that nobody takes it, and not listened on, so that it refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_idle_client_asks_nothing(harness: RabbitHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amqp_rpc.presence._LINGER", 0.5)
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    transport: Any = client._transport
    assert transport._watching
    eventually(lambda: not transport._watching)
    assert call(client) == b"ping"
    assert transport._watching


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


def test_a_reply_queue_that_is_deleted_is_made_anew(broker: Broker, queue_name: str) -> None:
    harness = RabbitHarness(broker.url, queue_name, reply_path="queue")
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    transport: Any = client._transport
    broker.ctl("delete_queue", transport._reply_to)
    eventually(lambda: served(client), within=10.0)
    harness.close()


def test_a_sign_of_life_that_fails_is_not_the_last_one(harness: RabbitHarness) -> None:
    signs: list[int] = []

    def sign() -> None:
        signs.append(len(signs))
        if len(signs) == 1:
            raise OSError("disk full")

    parameters = connection_parameters(harness.url, name="test server", heartbeat=10)
    server = RpcServer(AmqpServerTransport(parameters, harness.queue, prefetch=1, on_alive=sign), echo, workers=1)
    server.start()
    harness.servers.append(server)
    eventually(lambda: len(signs) >= 3, within=10.0)


def test_closing_in_the_middle_of_a_handshake_is_quick_and_quiet(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        client = connect_client(f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/%2F", "test.none", grace=3.0)
        peer, _ = silent.accept()
        with peer:
            assert elapsed(client.close) < 1.0
    assert [record.message for record in caplog.records if record.name.startswith("amqp_rpc")] == []


def test_without_file_descriptors_the_thread_waits_for_better_times(
    harness: RabbitHarness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.server(echo)
    client = harness.client()
    assert call(client) == b"ping"
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        harness.cut()
        _dup_until_refused(taken)
        eventually(lambda: "rpc.connect_failed" in caplog.messages or "rpc.io_failed" in caplog.messages)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        for descriptor in taken:
            os.close(descriptor)
    eventually(lambda: served(client), within=10.0)
    assert len(caplog.records) < 100


def _dup_until_refused(taken: list[int]) -> None:
    """Take what the cut connection frees, for a while."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        with suppress(OSError):
            taken.append(os.dup(0))
