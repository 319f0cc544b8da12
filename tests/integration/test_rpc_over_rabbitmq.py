"""The RPC suite over a real broker, on both reply paths, and what only a broker can do."""

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pika
import pytest

from amqp_rpc import (
    BrokerUnavailableError,
    CallTimeoutError,
    NoServerError,
    OverloadedError,
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
from tests.callers import callers
from tests.rpc_suite import Gate, RpcSuite, echo
from tests.waiting import SOON, elapsed, eventually


class RabbitHarness:
    """Queue and exchange have one name here."""

    def __init__(self, url: str, queue: str, reply_path: ReplyPath = "direct") -> None:
        self.url = url
        self.queue = queue
        self.reply_path = reply_path
        self.clients: list[RpcClient] = []
        self.servers: list[RpcServer] = []

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient:
        self.clients.append(
            connect_client(
                self.url,
                self.queue,
                exchange=self.queue,
                grace=grace,
                max_in_flight=max_in_flight,
                reply_path=self.reply_path,
            )
        )
        return self.clients[-1]

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        consuming = threading.Event()
        server = self.server_that_starts(handler, workers, on_alive=consuming.set)
        assert consuming.wait(SOON)
        return server

    def server_that_starts(
        self, handler: Handler, workers: int = 1, on_alive: Callable[[], None] = lambda: None
    ) -> RpcServer:
        """A server that may not consume yet."""
        parameters = connection_parameters(self.url, name="test server", heartbeat=10)
        transport = AmqpServerTransport(parameters, self.queue, self.queue, prefetch=workers, on_alive=on_alive)
        self.servers.append(RpcServer(transport, handler, workers=workers))
        self.servers[-1].start()
        return self.servers[-1]

    def cut(self) -> None:
        for client in self.clients:
            link: Any = client._transport._link
            link.run_soon(lambda link=link: link.abort("cut by the test"))

    def waiting(self) -> int:
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            return connection.channel().queue_declare(self.queue, passive=True).method.message_count

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


def client_at(port: int) -> RpcClient:
    return connect_client(f"amqp://guest:guest@127.0.0.1:{port}/%2F", "test.none", exchange="test.none", grace=3.0)


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
    _declare(raw_channel, harness.queue)
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
    _declare(raw_channel, harness.queue)
    client = harness.client()
    eventually(lambda: served(client), within=10.0)


def _declare(channel: Any, name: str) -> None:
    channel.queue_declare(name, durable=True)
    channel.exchange_declare(name, durable=True)
    channel.queue_bind(name, name, name)


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

        def refused() -> None:
            with pytest.raises(OverloadedError):
                call(client)

        for _ in range(50):
            assert elapsed(refused) < 0.1
        gate.open()
        assert (taken.result(SOON), waiting.result(SOON)) == (b"taken", b"waiting")
    nacked = [vars(record) for record in caplog.records if record.message == "rpc.nacked"]
    assert 1 <= len(nacked) <= 5
    assert call(client) == b"ping"


def _ready_messages(channel: Any, queue: str) -> int:
    count: int = channel.queue_declare(queue, passive=True).method.message_count
    return count


def test_confirms_leave_nothing_behind(harness: RabbitHarness) -> None:
    harness.server(echo)
    client = harness.client()
    with callers(32) as pool:
        list(pool.map(lambda _: call(client), range(500)))
    transport: Any = client._transport
    eventually(lambda: len(transport._unconfirmed) == 0)


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


def test_a_blocked_server_opens_no_channel_beside_one_that_is_not_open_yet(
    broker: Broker, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other tick declares what is ours once more, on a channel of its own."""
    monkeypatch.setattr("amqp_rpc.amqp_server._TICK", 0.005)
    harness = RabbitHarness(broker.url, queue_name)
    client = harness.client()
    gate, ticks = Gate(), threading.Semaphore(0)
    server = harness.server_that_starts(gate, on_alive=ticks.release)
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
        connection.channel().exchange_delete(queue_name)
    eventually(lambda: served(client), within=10.0)
    harness.close()


def _take(semaphore: threading.Semaphore, count: int) -> None:
    while semaphore.acquire(blocking=False):
        pass
    for _ in range(count):
        assert semaphore.acquire(timeout=SOON)


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
    client = client_at(unused_port)

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


def test_a_broker_that_leaves_a_question_unanswered_for_a_second_is_given_up(
    harness: RabbitHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    harness.server(gate)
    client = harness.client()
    with callers() as pool:
        with monkeypatch.context() as black_hole:
            black_hole.setattr("amqp_rpc.queue_watcher.QueueWatcher._declare", lambda *_: None)
            started = time.monotonic()
            waiting = pool.submit(call, client)
            gate.wait_for(1)
            eventually(lambda: "rpc.connection_lost" in caplog.messages)
            assert 1.0 <= time.monotonic() - started < 1.5
        gate.open()
        assert waiting.result(SOON) == b"ping"
    (lost,) = (vars(record) for record in caplog.records if record.message == "rpc.connection_lost")
    assert "rpc.broker_silent" in lost["error"]


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

    harness.server_that_starts(echo, on_alive=sign)
    eventually(lambda: len(signs) >= 3, within=10.0)


def test_closing_in_the_middle_of_a_handshake_is_quick_and_quiet(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        client = client_at(silent.getsockname()[1])
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
