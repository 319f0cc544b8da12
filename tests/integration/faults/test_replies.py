"""Rows 23 to 26 of docs/reliability.md: replies that no honest worker would send."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from stock_contract import REQUEST_QUEUE
from tests.fault_system import FaultSystem
from tests.integration.faults.conftest import Vhost, Watch, expect_log
from tests.invariants import Answer
from tests.stand_ins import StooqStandIn

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True)
class Received:
    """One request, and the ways to answer it."""

    channel: BlockingChannel
    reply_to: str
    correlation_id: str
    symbol: str

    @property
    def quote(self) -> dict[str, Any]:
        """The right answer, as the stand-in for stooq would have it."""
        price = self.symbol.removeprefix("s").removesuffix(".us") + ".5"
        prices = dict.fromkeys(("open", "high", "low", "close"), price)
        moments = dict.fromkeys(("as_of", "fetched_at"), "2021-11-12T21:00:10Z")
        return {"symbol": self.symbol.upper(), "name": "COMPANY", "source": "stooq", **prices, **moments}

    def reply(self, correlation_id: str | None = None, **changes: Any) -> None:
        quote = {name: value for name, value in (self.quote | changes).items() if value is not ...}
        self.send(json.dumps({"version": 1, "results": [{"quote": quote}]}).encode(), correlation_id)

    def send(self, body: bytes, correlation_id: str | None = None) -> None:
        properties = pika.BasicProperties(correlation_id=correlation_id or self.correlation_id)
        self.channel.basic_publish("", self.reply_to, body, properties)


class FakeWorker:
    """Takes requests from the queue and does with each what `script` says."""

    def __init__(self, url: str) -> None:
        self.script: Callable[[Received], None] = Received.reply
        self._over = threading.Event()
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.basic_consume(REQUEST_QUEUE, self._on_request, auto_ack=True)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._over.is_set():
            self._connection.process_data_events(time_limit=0.05)

    def _on_request(self, channel: BlockingChannel, _method: Any, properties: Any, body: bytes) -> None:
        (symbol,) = json.loads(body)["symbols"]
        self.script(Received(channel, properties.reply_to, properties.correlation_id, symbol))


@pytest.fixture(scope="module")
def _without_workers(started_system: FaultSystem, fault_stooq: StooqStandIn) -> Iterator[None]:
    """The real ones must not compete for the requests; one start for the whole module."""
    started_system.warm_up(fault_stooq)
    for worker in list(started_system.workers):
        started_system.end_worker(worker)
    yield
    started_system.start_serving_worker()


@pytest.fixture(scope="module")
def worker(_without_workers: None, vhost: Vhost) -> Iterator[FakeWorker]:
    worker = FakeWorker(vhost.broker.url_for(vhost.name))
    yield worker
    worker.close()


@pytest.fixture
def system(started_system: FaultSystem) -> FaultSystem:
    """Without the real workers, which nothing here should start."""
    return started_system


@pytest.fixture
def watch(worker: FakeWorker, watch: Watch) -> Iterator[Watch]:
    """Asks the fake worker, which is an honest one again when the invariants are checked."""
    yield watch
    worker.script = Received.reply


def bad_reply(answer: Answer) -> bool:
    return (answer.status, answer.slug) == (502, "stock-service-bad-reply")


def test_a_reply_that_comes_twice_is_taken_once(watch: Watch, worker: FakeWorker) -> None:
    """Row 23."""

    def twice(request: Received) -> None:
        request.reply()
        request.reply(close="666")

    worker.script = twice
    assert {watch.ask().status for _ in range(5)} == {200}


def test_a_late_reply_is_nobodys_and_leaves_no_row(watch: Watch, worker: FakeWorker) -> None:
    """Row 24."""
    kept: list[Received] = []
    worker.script = kept.append
    late = watch.ask()
    assert (late.status, late.slug) == (504, "stock-service-timeout")
    assert 5.9 < late.seconds < 6.6

    def with_the_old_one(request: Received) -> None:
        kept[0].reply()
        request.reply()

    worker.script = with_the_old_one
    assert watch.ask().status == 200


def test_forged_correlation_ids_harm_nobody_and_many_are_said(watch: Watch, worker: FakeWorker) -> None:
    """Row 25."""

    def after_forgeries(request: Received) -> None:
        for forged in ("0" * 32, "x", "ä" * 20, "'; DROP TABLE history; --"):
            request.reply(forged, close="666")
        request.reply()

    worker.script = after_forgeries
    assert {watch.ask().status for _ in range(5)} == {200}
    expect_log(watch.api_log, "rpc.orphan_replies", level="warning")
    assert watch.api_log.names().count("rpc.orphan_replies") == 1


@pytest.mark.parametrize(
    "changes",
    [{"symbol": "OTHER.US"}, {"close": 12.5}, {"close": "NaN"}, {"close": "-1"}, {"close": ...}, {"name": "a\0b"}],
    ids=str,
)
def test_a_reply_that_does_not_fit_is_neither_shown_nor_saved(
    watch: Watch, worker: FakeWorker, changes: dict[str, Any]
) -> None:
    """Row 26."""
    worker.script = lambda request: request.reply(**changes)
    answer = watch.ask()
    assert bad_reply(answer)
    assert "OTHER" not in answer.text
    expect_log(watch.api_log, "stock.no_answer", problem="stock-service-bad-reply")


UNREADABLE = {
    "nothing": b"",
    "not UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "deep nesting": b"[" * 100_000,
    "no results": b'{"version": 1}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_reply_that_cannot_be_read_is_neither_shown_nor_saved(watch: Watch, worker: FakeWorker, body: bytes) -> None:
    """Row 26."""
    worker.script = lambda request: request.send(body)
    assert bad_reply(watch.ask())


def test_a_reply_of_5_mb_is_refused_although_it_could_be_read(watch: Watch, worker: FakeWorker) -> None:
    """Row 26."""
    worker.script = lambda request: request.reply(padding="x" * 5_000_000)
    assert bad_reply(watch.ask())


def test_fields_of_a_newer_worker_are_ignored(watch: Watch, worker: FakeWorker) -> None:
    """Rows 26 and 30."""
    worker.script = lambda request: request.reply(mood="bullish")
    assert watch.ask().status == 200


def test_a_worker_of_another_version_is_said(watch: Watch, worker: FakeWorker) -> None:
    """Row 29, from the side of the API."""
    worker.script = lambda request: request.send(b'{"version": 1, "failure": {"code": "unsupported_version"}}')
    answer = watch.ask()
    assert (answer.status, answer.slug) == (502, "stock-service-incompatible")
