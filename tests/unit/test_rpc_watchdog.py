"""The watchdog over handlers, and the count of replies that nobody waits for."""

import logging
import threading
from typing import Any

import pytest

from amqp_rpc.messages import Request
from amqp_rpc.orphans import OrphanReplies
from amqp_rpc.watchdog import Watchdog
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.waiting import SOON

PATIENCE = 0.2


def request(seconds: float) -> Request:
    return Request(b"", {}, Deadline.after(seconds), "0" * 32, redelivered=False)


def hang(watchdog: Watchdog, until: threading.Event) -> None:
    with watchdog.watching(request(0.0)):
        until.wait(SOON)


def test_a_request_that_stays_in_hand_is_reported_with_the_stack_of_its_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hung, over = threading.Event(), threading.Event()
    watchdog = Watchdog(PATIENCE, on_hung=hung.set)
    watchdog.start()
    with callers() as pool:
        pool.submit(hang, watchdog, over)
        assert hung.wait(SOON)
        over.set()
    (record,) = [record for record in caplog.records if record.message == "rpc.watchdog"]
    assert record.levelno == logging.CRITICAL
    fields: dict[str, Any] = vars(record)
    assert fields["correlation_id"] == "0" * 32
    assert "in hang" in fields["stack"]


def test_a_request_that_ends_or_still_has_time_is_left_alone() -> None:
    hung = threading.Event()
    watchdog = Watchdog(PATIENCE, on_hung=hung.set)
    watchdog.start()
    with watchdog.watching(request(0.0)):
        pass
    with watchdog.watching(request(SOON)):
        assert not hung.wait(3 * PATIENCE)
    watchdog.stop()


def test_a_few_orphan_replies_are_usual_and_many_are_one_warning_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("amqp_rpc.orphans.time.monotonic", lambda: now)
    orphans = OrphanReplies()

    def warnings_after(count: int) -> int:
        for _ in range(count):
            orphans.came()
        return caplog.messages.count("rpc.orphan_replies")

    assert [warnings_after(10), warnings_after(1), warnings_after(100)] == [0, 1, 1]
    now += 60.0
    assert [warnings_after(10), warnings_after(1)] == [1, 2]
    assert orphans.total == 122
