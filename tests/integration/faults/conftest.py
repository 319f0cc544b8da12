"""The system under faults, and the invariants that are checked after each of them."""

import secrets
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from scripts.brokers import Broker
from scripts.child_processes import Child
from tests.fault_system import FaultSystem, running_fault_system
from tests.invariants import LOG_LINES_A_SECOND, Answer, Footprint, LogTail, Recorder
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

PASSWORD = f"canary-{secrets.token_hex(8)}"
"""Of the users that the two services are to the broker; no log may hold it."""

ALL = (".*", ".*", ".*")

_SYSTEM = pytest.StashKey[FaultSystem]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the processes logged last: of a run elsewhere the report is all that is left."""
    report = yield
    if report.failed and (system := item.config.stash.get(_SYSTEM, None)):
        report.sections += [(f"last lines of {name}", lines) for name, lines in system.last_lines()]
    return report


@dataclass(frozen=True)
class Vhost:
    """A virtual host with one user for each service."""

    broker: Broker
    name: str

    def url(self, role: str) -> str:
        return self.broker.url_for(self.name, self.user(role), PASSWORD)

    def user(self, role: str) -> str:
        return f"{self.name}-{role}"

    def permit(self, role: str, configure: str, write: str, read: str) -> None:
        self.broker.ctl("set_permissions", "-p", self.name, self.user(role), configure, write, read)


@pytest.fixture(scope="session")
def vhost(broker: Broker) -> Vhost:
    vhost = Vhost(broker, f"faults-{secrets.token_hex(4)}")
    broker.add_vhost(vhost.name)
    for role in ("api", "worker"):
        broker.ctl("add_user", vhost.user(role), PASSWORD)
        vhost.permit(role, *ALL)
    return vhost


@pytest.fixture
def raw_channel(vhost: Vhost) -> Iterator[BlockingChannel]:
    """To do what neither service would."""
    connection = pika.BlockingConnection(pika.URLParameters(vhost.broker.url_for(vhost.name)))
    yield connection.channel()
    connection.close()


@pytest.fixture(scope="session")
def fault_stooq() -> Iterator[StooqStandIn]:
    stand_in = StooqStandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="session")
def started_system(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, fault_stooq: StooqStandIn, vhost: Vhost
) -> Iterator[FaultSystem]:
    directory, urls = tmp_path_factory.mktemp("faults"), (vhost.url("api"), vhost.url("worker"))
    with running_fault_system(directory, fault_stooq.url, *urls) as system:
        pytestconfig.stash[_SYSTEM] = system
        yield system


@pytest.fixture
def stooq(fault_stooq: StooqStandIn) -> Iterator[StooqStandIn]:
    yield fault_stooq
    fault_stooq.reset()


@pytest.fixture
def system(started_system: FaultSystem, stooq: StooqStandIn) -> Iterator[FaultSystem]:
    """Whole at the start of each test. A test may add workers; one is left at its end."""
    started_system.warm_up(stooq)
    yield started_system
    for worker in started_system.workers[1:]:
        started_system.end_worker(worker)
    if not started_system.workers or started_system.workers[0].exit_code is not None:
        started_system.workers.clear()
        started_system.start_serving_worker()


@pytest.fixture
def watch(system: FaultSystem, stooq: StooqStandIn) -> Iterator["Watch"]:
    watch = Watch(system, stooq)
    yield watch
    watch.check()


class Watch:
    """Asks for quotes under a fault, and afterwards sees that every invariant holds."""

    def __init__(self, system: FaultSystem, stooq: StooqStandIn) -> None:
        self._stooq = stooq
        self.recorder = Recorder(system, system.database)
        self.ask = self.recorder.ask
        self._system = system
        self.recorder.recovered_in()
        self.api_log = LogTail(system.api.log)
        self._footprints = [Footprint(child) for child in (system.api, *system.workers)]
        self._tails = [LogTail(child.log) for child in system.workers]
        self._pool = ThreadPoolExecutor(16)

    @property
    def worker_log(self) -> LogTail:
        """Of the worker that was there at the start."""
        return self._tails[0]

    def watch_log(self, child: Child) -> LogTail:
        """Of a process that the test has started."""
        tail = LogTail(child.log, from_start=True)
        self._tails.append(tail)
        return tail

    def begin(self, count: int = 1) -> list[Future[Answer]]:
        """Ask on threads of their own."""
        return [self._pool.submit(self.ask) for _ in range(count)]

    def begin_held(self, count: int) -> list[Future[Answer]]:
        """Ask, and wait until all of them are at the provider, which answers when it is told to."""
        self._stooq.arrived = threading.Semaphore(0)
        self._stooq.hold()
        calls = self.begin(count)
        for _ in calls:
            assert self._stooq.arrived.acquire(timeout=5)
        return calls

    def all_answers(self, calls: list[Future[Answer]]) -> list[Answer]:
        return [call.result(12.0) for call in calls]

    def others_answer(self) -> None:
        """Log-in, history and statistics, while only the way to the stock service is broken (I7)."""
        began = time.monotonic()
        assert self._system.login("johndoe", "john").status_code == 200
        assert self._system.get("/api/v1/users/history").status_code == 200
        assert self._system.get("/api/v1/stats", "admin").status_code == 200
        assert time.monotonic() - began < 3.0

    def check(self) -> None:
        """Everything that must hold once the fault is healed."""
        self._pool.shutdown()
        self.recorder.recovered_in()  # I5
        assert self.recorder.violations() == []  # I1 to I4
        self._system.session.close()  # the server would keep its kept-alive connection for another five seconds
        for footprint in self._footprints:  # I6
            eventually(footprint.is_back, within=12.0)  # the API keeps an idle connection for 5 s
        for tail in (self.api_log, *self._tails):  # I8
            assert tail.busiest_second() < LOG_LINES_A_SECOND, tail.log
            assert PASSWORD not in tail.text()


def expect_log(tail: LogTail, event: str, **fields: Any) -> None:
    """Wait for the event: a line is written a moment after what it tells of."""
    eventually(lambda: log_has(tail, event, **fields))


def log_has(tail: LogTail, event: str, **fields: Any) -> bool:
    """Tell whether the event is there with these fields."""
    return any(
        line["event"] == event and all(line.get(name) == value for name, value in fields.items())
        for line in tail.events()
    )
