"""Workers and brokers that come and go under load: who asks gets one honest answer in time."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts import services
from scripts.brokers import Broker
from scripts.child_processes import Child
from tests.e2e.conftest import ANSWER_SECONDS, System
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory, stooq: StooqStandIn, module_amqp_url: str) -> Iterator[System]:
    """The API alone; each test starts and stops its workers."""
    system = System("rpc", tmp_path_factory.mktemp("restarts"), stooq.url, module_amqp_url)
    system.prepare()
    api = system.start_api()
    yield system
    system.stop_api(api)


@pytest.fixture
def workers(system: System) -> Iterator[list[Child]]:
    """Workers that are stopped at the end, whatever the test did."""
    started: list[Child] = []
    yield started
    for worker in started:
        worker.stop(services.STOP_SECONDS)


class SteadyLoad:
    """A few callers that ask all the time; every answer's status and seconds are kept."""

    def __init__(self, system: System, callers: int = 4) -> None:
        self._system = system
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(callers)
        self.answers: list[tuple[int, float]] = []
        self._runs = [self._pool.submit(self._run) for _ in range(callers)]

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            status = self._system.quote("aapl.us").status_code
            self.answers.append((status, time.monotonic() - started))
            self._stop.wait(0.05)

    def wait_for_answers(self, count: int) -> None:
        """Wait until that many more answers have come."""
        wanted = len(self.answers) + count
        eventually(lambda: len(self.answers) >= wanted, within=10.0)

    def finish(self) -> list[tuple[int, float]]:
        self._stop.set()
        for run in self._runs:
            run.result(ANSWER_SECONDS)
        self._pool.shutdown()
        return self.answers


def test_a_stopping_worker_answers_the_8_calls_it_has(
    system: System, workers: list[Child], stooq: StooqStandIn
) -> None:
    workers.append(system.start_stock())
    assert system.quote("aapl.us").status_code == 200
    stooq.arrived = threading.Semaphore(0)
    stooq.hold()
    with ThreadPoolExecutor(9) as pool:
        calls = [pool.submit(system.quote, f"s{number}.us") for number in range(8)]
        for _ in range(8):
            assert stooq.arrived.acquire(timeout=5)
        stopped = pool.submit(workers[0].stop, services.STOP_SECONDS)
        stooq.release()
        answers = [call.result(ANSWER_SECONDS) for call in calls]
        assert [(answer.status_code, answer.json()["quote"]) for answer in answers] == [
            (200, number + 0.5) for number in range(8)
        ]
        assert stopped.result(services.STOP_SECONDS) == 0


def test_a_worker_that_restarts_under_load_costs_nobody_an_answer(system: System, workers: list[Child]) -> None:
    workers.append(system.start_stock())
    load = SteadyLoad(system)
    load.wait_for_answers(20)
    for _ in range(3):
        assert workers[-1].stop(services.STOP_SECONDS) == 0
        workers.append(system.start_stock())
        load.wait_for_answers(20)
    answers = load.finish()
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < 6.0


def test_a_second_signal_ends_a_draining_worker_at_once(
    system: System, workers: list[Child], stooq: StooqStandIn
) -> None:
    worker = system.start_stock()
    workers.append(worker)
    stooq.arrived = threading.Semaphore(0)
    stooq.hold()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(system.quote, "aapl.us")
        assert stooq.arrived.acquire(timeout=5)
        os.kill(worker.pid, signal.SIGTERM)
        eventually(lambda: "rpc.draining" in worker.log.read_text())
        started = time.monotonic()
        os.kill(worker.pid, signal.SIGTERM)
        eventually(lambda: worker.exit_code is not None)
        assert time.monotonic() - started < 1.0
        stooq.release()
        assert call.result(ANSWER_SECONDS).status_code in {503, 504}


def test_a_worker_that_is_away_is_said_at_once_after_the_grace(system: System, workers: list[Child]) -> None:
    workers.append(system.start_stock())
    assert system.quote("aapl.us").status_code == 200
    workers[0].stop(services.STOP_SECONDS)
    first = system.quote("aapl.us")
    assert first.status_code == 503
    assert first.elapsed.total_seconds() < 5.0  # the grace, and the second between two looks
    second = system.quote("aapl.us")
    assert second.status_code == 503
    assert int(second.headers["Retry-After"]) > 0
    assert second.elapsed.total_seconds() < 1.0
    assert system.get("/api/v1/users/history").status_code == 200
    workers.append(system.start_stock())
    eventually(lambda: system.quote("aapl.us").status_code == 200, within=3.0)


@pytest.mark.parametrize("how", ["stop_app", "kill"])
def test_a_broker_that_restarts_is_got_over_without_restarting_a_process(
    system: System, workers: list[Child], broker: Broker, how: str
) -> None:
    workers.append(system.start_stock())
    load = SteadyLoad(system)
    load.wait_for_answers(20)
    if how == "kill":
        broker.kill()
    else:
        broker.stop_app()
    eventually(lambda: load.answers[-1][0] == 503)
    away = system.quote("aapl.us")
    assert (away.status_code, away.json()["type"]) == (503, "/problems/broker-unavailable")
    assert away.elapsed.total_seconds() < 1.0
    if how == "kill":
        broker.start()
    else:
        broker.start_app()
    eventually(lambda: load.answers[-1][0] == 200, within=10.0)
    answers = load.finish()
    assert {status for status, _ in answers} <= {200, 503, 504}
    assert max(seconds for _, seconds in answers) < ANSWER_SECONDS
    assert workers[0].exit_code is None


def test_a_frozen_worker_costs_nobody_more_than_the_time_budget(system: System, workers: list[Child]) -> None:
    """More callers than threads: whoever finds no place is told at once, and log-ins go on."""
    workers.append(system.start_stock())
    assert system.quote("aapl.us").status_code == 200
    os.kill(workers[0].pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(120) as pool:
            calls = [pool.submit(system.quote, "aapl.us") for _ in range(120)]
            eventually(lambda: sum(call.done() for call in calls) >= 120 - 64)  # those without a place
            assert system.login("johndoe", "john").elapsed.total_seconds() < 1.0
            answers = [call.result(2 * ANSWER_SECONDS) for call in calls]
    finally:
        os.kill(workers[0].pid, signal.SIGCONT)
    slugs = {answer.json()["type"] for answer in answers}
    assert slugs == {"/problems/overloaded", "/problems/stock-service-timeout"}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 8.0
