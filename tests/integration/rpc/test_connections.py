"""The connection of a process that calls: one, given up when it is silent, and not always to be had."""

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from amqp_rpc import BrokerUnavailableError
from scripts.brokers import Broker
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness, client_at
from tests.rpc_suite.parts import Gate, call, echo, fails_in, served
from tests.waiting import SOON, elapsed, eventually


def test_a_process_that_calls_has_one_connection(own_harness: RabbitHarness, broker: Broker) -> None:
    own_harness.server(echo)
    client = own_harness.client()
    with callers(16) as pool:
        list(pool.map(lambda _: call(client), range(200)))
    listed = json.loads(broker.ctl("list_connections", "client_properties", "--formatter", "json"))
    assert sum(own_harness.queue in str(connection) for connection in listed) == 1


def test_a_broker_that_nobody_listens_at_is_said_within_a_second(unused_port: int) -> None:
    client = client_at(unused_port)
    assert fails_in(client, BrokerUnavailableError) < 1.0
    assert fails_in(client, BrokerUnavailableError) < 0.1
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
