"""Rows 8 to 15 of docs/reliability.md: what the broker does to a connection, a channel, a consumer and a queue."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from tests.fault_system import FaultSystem
from tests.integration.faults.conftest import ALL, Vhost, Watch, expect_log, log_has
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(60)


def test_an_exchange_that_is_gone_closes_the_channel_and_is_declared_again(
    system: FaultSystem, watch: Watch, raw_channel: BlockingChannel
) -> None:
    """Row 8. The worker is frozen meanwhile: every few seconds it declares the exchange once more."""
    os.kill(system.workers[0].pid, signal.SIGSTOP)
    try:
        raw_channel.exchange_delete(REQUEST_EXCHANGE)
        answer = watch.ask()
    finally:
        os.kill(system.workers[0].pid, signal.SIGCONT)
    assert (answer.status, answer.slug) in {(503, "broker-unavailable"), (503, "stock-service-unavailable")}
    assert answer.seconds < 2.0
    assert watch.recorder.recovered_in() < 10.0
    (closed,) = [event for event in watch.api_log.events() if event["event"] == "rpc.channel_closed"]
    assert closed["level"] == "error"
    assert "404" in closed["reason"]


def test_a_worker_whose_channel_is_closed_makes_another_one(system: FaultSystem, watch: Watch, vhost: Vhost) -> None:
    """Row 9, by taking away the right to send replies: the broker closes the channel with 403, again and again."""
    vhost.permit("worker", ".*", f"^{REQUEST_QUEUE}$", ".*")
    try:
        system.worker_link.cut()  # the old channel remembers what it was allowed
        answer = watch.all_answers(watch.begin())[0]
        assert (answer.status, answer.slug) in {(504, "stock-service-timeout"), (503, "stock-service-unavailable")}
        expect_log(watch.worker_log, "rpc.channel_closed", level="error")
    finally:
        vhost.permit("worker", *ALL)
    assert watch.recorder.recovered_in() < 10.0
    assert system.workers[0].exit_code is None


def test_a_queue_that_is_deleted_is_declared_and_consumed_again(
    system: FaultSystem, watch: Watch, raw_channel: BlockingChannel
) -> None:
    """Row 10."""
    raw_channel.queue_delete(REQUEST_QUEUE)
    answer = watch.ask()
    assert answer.status in {200, 503}
    assert watch.recorder.recovered_in() < 10.0
    expect_log(watch.worker_log, "rpc.consumer_cancelled", level="warning")
    eventually(lambda: watch.worker_log.names().count("rpc.consuming") == 1)


@pytest.mark.parametrize(
    ("alarm", "calm"),
    [
        (("set_vm_memory_high_watermark", "0"), ("set_vm_memory_high_watermark", "0.4")),
        (("set_disk_free_limit", "900000GB"), ("set_disk_free_limit", "50MB")),
    ],
    ids=["memory", "disk"],
)
def test_an_alarm_is_said_at_once_and_nothing_old_runs_after_it(
    system: FaultSystem, watch: Watch, vhost: Vhost, alarm: tuple[str, str], calm: tuple[str, str]
) -> None:
    """Row 11."""
    vhost.broker.ctl(*alarm)
    try:
        first = watch.all_answers(watch.begin())[0]  # with it the broker notices that this connection publishes
        eventually(lambda: log_has(watch.api_log, "rpc.blocked", level="warning"))
        refused = watch.ask()
        assert (refused.status, refused.slug, refused.retry_after) == (503, "broker-unavailable", "5")
        assert refused.seconds < 0.3
        watch.others_answer()
    finally:
        vhost.broker.ctl(*calm)
    assert first.status in {503, 504}
    assert watch.recorder.recovered_in() < 10.0
    expect_log(watch.api_log, "rpc.unblocked")


def test_without_a_queue_the_broker_returns_a_call_at_once(
    system: FaultSystem, watch: Watch, raw_channel: BlockingChannel
) -> None:
    """Row 12."""
    system.end_worker(system.workers[0])
    raw_channel.queue_delete(REQUEST_QUEUE)
    try:
        answer = watch.ask()
        assert (answer.status, answer.slug) == (503, "stock-service-unavailable")
        assert answer.seconds < 0.3
        # Where the worker took its time to end, its absence is known already, and the call is not even sent.
        eventually(lambda: bool({"rpc.unroutable", "rpc.queue_deserted"} & set(watch.api_log.names())))
        watch.others_answer()
    finally:
        system.start_serving_worker()


@contextmanager
def queue_limit(vhost: Vhost, length: int) -> Iterator[None]:
    definition = f'{{"max-length": {length}, "overflow": "reject-publish"}}'
    vhost.broker.ctl("set_policy", "-p", vhost.name, "limit", "^stock", definition, "--apply-to", "queues")
    try:
        yield
    finally:
        vhost.broker.ctl("clear_policy", "-p", vhost.name, "limit")


def test_a_full_queue_refuses_the_newest_and_keeps_the_older_ones(
    watch: Watch, vhost: Vhost, raw_channel: BlockingChannel, stooq: StooqStandIn
) -> None:
    """Row 14: eight calls are in the worker's hands, two wait in the queue, and the others are told at once."""
    with queue_limit(vhost, 2):
        # One after the other: calls that are made together may share a message, and the queue counts messages.
        older = [call for _ in range(8) for call in watch.begin_held(1)]
        for waiting in (1, 2):
            older += watch.begin()
            eventually(lambda waiting=waiting: ready_messages(raw_channel) == waiting)
        refused = watch.all_answers(watch.begin(4))
        stooq.release()
        answers = watch.all_answers(older)
    assert {(answer.status, answer.slug) for answer in refused} == {(503, "overloaded")}
    assert max(answer.seconds for answer in refused) < 1.0
    assert {answer.retry_after for answer in refused} == {"1"}
    assert {(answer.status, answer.slug) for answer in answers} == {(200, "")}
    expect_log(watch.api_log, "rpc.nacked", level="warning")


def ready_messages(channel: BlockingChannel) -> int:
    count: int = channel.queue_declare(REQUEST_QUEUE, passive=True).method.message_count
    return count


def test_connections_that_an_operator_closes_are_made_again(system: FaultSystem, watch: Watch, vhost: Vhost) -> None:
    """Row 3 without a restart: the broker ends every connection in good order."""
    calls = watch.begin(2)
    vhost.broker.ctl("close_all_connections", "-p", vhost.name, "maintenance")
    assert {answer.status for answer in watch.all_answers(calls)} <= {200, 503}
    eventually(lambda: "rpc.connection_lost" in watch.api_log.names())
    assert watch.recorder.recovered_in() < 10.0
