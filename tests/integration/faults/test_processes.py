"""Rows 16 to 21 of docs/reliability.md: processes that die, hang and stop with calls in their hands.

Rows 13, 15, 19 and 20 are in tests/e2e/test_restarts.py.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from scripts import services
from tests.callers import callers
from tests.fault_system import FaultSystem
from tests.integration.faults.conftest import Watch, log_has
from tests.invariants import LogTail
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(60)
FAILING = (sys.executable, "-m", "tests.integration.faults.worker_that_fails")


def test_another_worker_answers_for_one_that_is_killed(system: FaultSystem, watch: Watch, stooq: StooqStandIn) -> None:
    """Row 16."""
    calls = watch.begin_held(4)
    first, second = system.workers[0], system.start_serving_worker()
    tail = watch.watch_log(second)
    system.kill_worker(first)
    eventually(lambda: tail.names().count("rpc.redelivered") == 4)
    stooq.release()
    assert {(answer.status, answer.slug) for answer in watch.all_answers(calls)} == {(200, "")}


class Supervisor:
    """Starts a failing worker again whenever it has ended, as Docker would."""

    def __init__(self, system: FaultSystem) -> None:
        self._system = system
        self._over = threading.Event()
        self.started = [system.start_serving_worker(FAILING)]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            if self.started[-1].exit_code is not None:
                self._system.workers.remove(self.started[-1])
                self.started.append(self._system.start_worker(FAILING))

    @property
    def exit_codes(self) -> list[int | None]:
        return [child.exit_code for child in self.started]

    def logs(self) -> list[LogTail]:
        return [LogTail(child.log, from_start=True) for child in self.started]

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def supervisor(system: FaultSystem) -> Iterator[Supervisor]:
    """A failing worker in place of the real one."""
    system.end_worker(system.workers[0])
    supervisor = Supervisor(system)
    yield supervisor
    supervisor.end()
    for worker in list(system.workers):
        system.end_worker(worker)
    system.start_serving_worker()


def test_a_message_that_kills_its_worker_does_so_until_it_expires(
    watch: Watch, system: FaultSystem, supervisor: Supervisor
) -> None:
    """Row 17: it is delivered again and again for the six seconds that it lives, and then never more."""
    answer = system.quote("poison.us")
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/stock-service-timeout")
    assert answer.elapsed.total_seconds() < 7.0
    assert watch.recorder.recovered_in() < 10.0
    started = list(supervisor.started)
    assert len(started) >= 2
    assert sum(tail.names().count("rpc.redelivered") for tail in supervisor.logs()) >= 1
    assert {watch.ask().status for _ in range(10)} == {200}
    assert supervisor.started == started
    assert started[-1].exit_code is None


def test_a_worker_that_hangs_ends_itself_and_says_where(
    watch: Watch, system: FaultSystem, supervisor: Supervisor
) -> None:
    """Row 18, with half a second of patience instead of thirty."""
    answer = system.quote("hang.us")
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/stock-service-timeout")
    eventually(lambda: supervisor.exit_codes[0] == os.EX_SOFTWARE)
    (told,) = [event for event in supervisor.logs()[0].events() if event["event"] == "rpc.watchdog"]
    assert told["level"] == "critical"
    assert "in handle" in told["stack"]
    assert watch.recorder.recovered_in() < 10.0


def test_an_api_that_stops_answers_the_calls_it_has(system: FaultSystem, watch: Watch, stooq: StooqStandIn) -> None:
    """Row 21."""
    system.token("johndoe")
    calls = watch.begin_held(8)
    with callers() as pool:
        os.kill(system.api.pid, signal.SIGTERM)
        eventually(lambda: "Handling signal: term" in watch.api_log.text())
        stooq.release()
        stopped = pool.submit(system.api.stop, services.STOP_SECONDS)
        answers = watch.all_answers(calls)
        assert stopped.result(services.STOP_SECONDS) == 0
    assert {(answer.status, answer.slug) for answer in answers} == {(200, "")}
    assert not log_has(watch.api_log, "rpc.io_failed")
    system.start_api()
