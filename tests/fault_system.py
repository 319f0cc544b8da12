"""Both services as processes, each with a fault proxy of its own between it and the broker."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scripts import services
from scripts.child_processes import Child
from tests.e2e.conftest import ANSWER_SECONDS, System
from tests.fault_proxy import FaultProxy
from tests.invariants import new_code
from tests.outages import Outages, children_of
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

API_THREADS = 24
"""Fewer than usual, so that a test can have all of them started before it counts them."""


class FaultSystem(System):
    """The API behind `api_link`, any number of workers behind `worker_link`; the database is one SQLite file."""

    def __init__(
        self, directory: Path, stooq_url: str, broker_url: str, worker_broker_url: str = "", **settings: str
    ) -> None:
        port = urlsplit(broker_url).port
        assert port
        self.api_link, self.worker_link = FaultProxy(port), FaultProxy(port)
        settings = {"WEB_THREADS": str(API_THREADS), "WORKER_THREADS": "8"} | settings
        urls = _through(self.api_link, broker_url), _through(self.worker_link, worker_broker_url or broker_url)
        super().__init__("rpc", directory, stooq_url, *urls, **settings)
        self.database = directory / "api.sqlite3"
        self.api: Child
        self.outages = Outages()
        self.workers: list[Child] = []
        self._warm: set[int] = set()
        self._started: list[Path] = []

    def start_api(self) -> Child:
        self.api = services.start(self._name("api"), services.API, self.environment, self.directory)
        services.wait_for_http("api", self.api, self.port)
        return self.api

    def kill_api(self) -> None:
        """Kill it as a whole and start it again; returns when it serves."""
        with self.outages.one():
            self.api.kill()
            self.start_api()

    def kill_api_child(self) -> None:
        """Kill the process that serves, and let gunicorn start another one; returns when that serves."""
        with self.outages.one():
            (pid,) = children_of(self.api)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: pid not in children_of(self.api))
            services.wait_for_http("api", self.api, self.port)

    def start_worker(self, command: tuple[str, ...] = services.STOCK_WORKER) -> Child:
        """Start one more worker, without waiting for its connection."""
        name = self._name("worker")
        environment = self._stock_environment | {"WORKER_HEARTBEAT_FILE": str(self.heartbeat_of(name))}
        self.workers.append(services.start(name, command, environment, self.directory))
        return self.workers[-1]

    def start_serving_worker(self, command: tuple[str, ...] = services.STOCK_WORKER) -> Child:
        worker = self.start_worker(command)
        services.wait_for_heartbeat("worker", worker, self.heartbeat_of(worker.log.stem))
        return worker

    def heartbeat_of(self, name: str) -> Path:
        return self.directory / f"{name}.heartbeat"

    def end_worker(self, worker: Child) -> int:
        self.workers.remove(worker)
        return worker.stop(services.STOP_SECONDS)

    def kill_worker(self, worker: Child) -> None:
        self.workers.remove(worker)
        worker.kill()

    def warm_up(self, stooq: StooqStandIn) -> None:
        """Have every process start all its threads, which it does as they are first needed; then count them."""
        processes = {self.api.pid, *(worker.pid for worker in self.workers)}
        if processes == self._warm:
            return
        self._warm = processes
        stooq.arrived = threading.Semaphore(0)
        stooq.hold()
        with ThreadPoolExecutor(2 * API_THREADS) as pool:
            calls = [pool.submit(self.quote, new_code()[0]) for _ in range(2 * API_THREADS)]
            for _ in range(8):
                assert stooq.arrived.acquire(timeout=5)
            stooq.release()
            assert {call.result(ANSWER_SECONDS).status_code for call in calls} <= {200, 503}

    def stop(self) -> None:
        for worker in list(self.workers):
            self.end_worker(worker)
        self.stop_api(self.api)
        self.api_link.close()
        self.worker_link.close()

    def _name(self, role: str) -> str:
        """A log file for each process: the latest one's would replace that of the one before."""
        name = f"{role}-{len(self._started) + 1}"
        self._started.append(self.directory / f"{name}.log")
        return name

    def last_lines(self) -> list[tuple[str, str]]:
        """What the programs that were active last have logged at the end, each with its name."""
        latest = sorted(filter(Path.exists, self._started), key=lambda log: log.stat().st_mtime)[-3:]
        return [(log.stem, "\n".join(log.read_text(encoding="utf-8").splitlines()[-25:])) for log in latest]


@contextmanager
def running_fault_system(
    directory: Path, stooq_url: str, broker_url: str, worker_broker_url: str = "", *, workers: int = 1, **settings: str
) -> Iterator[FaultSystem]:
    """The system, prepared and started with that many workers."""
    system = FaultSystem(directory, stooq_url, broker_url, worker_broker_url, **settings)
    system.prepare()
    system.start_api()
    try:
        for _ in range(workers):
            system.start_serving_worker()
        yield system
    finally:
        system.stop()


def _through(proxy: FaultProxy, url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
