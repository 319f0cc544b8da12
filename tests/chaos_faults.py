"""The faults that `make chaos` chooses from: each a context manager that breaks something and heals it at its end."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field

from scripts.brokers import Broker
from stock_contract import REQUEST_QUEUE
from tests.fault_proxy import FaultProxy
from tests.fault_system import FaultSystem
from tests.link_faults import Direction
from tests.stand_ins import StooqStandIn


@dataclass(frozen=True)
class World:
    """Everything that can be broken."""

    system: FaultSystem
    broker: Broker
    vhost: str
    stooq: StooqStandIn
    dice: random.Random = field(default_factory=random.Random)


Fault = Callable[[World], AbstractContextManager[None]]


def _a_link(world: World) -> FaultProxy:
    return world.dice.choice([world.system.api_link, world.system.worker_link])


@contextmanager
def _cut(world: World) -> Iterator[None]:
    _a_link(world).cut()
    yield


def _black_hole(*directions: Direction) -> Fault:
    return lambda world: _a_link(world).blackhole(*directions)


def _refused(world: World) -> AbstractContextManager[None]:
    return _a_link(world).down()


def _frozen(world: World) -> AbstractContextManager[None]:
    return _a_link(world).freeze()


def _slow(world: World) -> AbstractContextManager[None]:
    return _a_link(world).latency(world.dice.uniform(0.05, 0.3))


def _sliced(world: World) -> AbstractContextManager[None]:
    return _a_link(world).slices(world.dice.randint(1, 50))


def _truncated(world: World) -> AbstractContextManager[None]:
    return _a_link(world).truncate(world.dice.randint(1, 2000))


@contextmanager
def _worker_killed(world: World) -> Iterator[None]:
    world.system.kill_worker(world.dice.choice(world.system.workers))
    yield
    world.system.start_worker()


@contextmanager
def _worker_paused(world: World) -> Iterator[None]:
    worker = world.dice.choice(world.system.workers)
    os.kill(worker.pid, signal.SIGSTOP)
    yield
    if worker in world.system.workers:  # another fault may have put a new one in its place
        os.kill(worker.pid, signal.SIGCONT)


@contextmanager
def _worker_restarted(world: World) -> Iterator[None]:
    world.system.end_worker(world.dice.choice(world.system.workers))
    yield
    world.system.start_worker()


@contextmanager
def _all_workers_restarted(world: World) -> Iterator[None]:
    _replace_workers(world)
    yield


@contextmanager
def _broker_stopped(world: World) -> Iterator[None]:
    world.broker.stop_app()
    try:
        yield
    finally:
        world.broker.start_app()


@contextmanager
def _broker_killed(world: World) -> Iterator[None]:
    world.broker.kill()
    try:
        yield
    finally:
        world.broker.start()


@contextmanager
def _memory_alarm(world: World) -> Iterator[None]:
    world.broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        yield
    finally:
        world.broker.ctl("set_vm_memory_high_watermark", "0.4")


@contextmanager
def _queue_deleted(world: World) -> Iterator[None]:
    world.broker.ctl("delete_queue", "-p", world.vhost, REQUEST_QUEUE)
    yield


@contextmanager
def _connections_closed(world: World) -> Iterator[None]:
    world.broker.ctl("close_all_connections", "-p", world.vhost, "maintenance")
    yield


@contextmanager
def _provider_slow(world: World) -> Iterator[None]:
    world.stooq.delay = world.dice.uniform(0.3, 1.2)
    yield
    world.stooq.delay = 0.0


def _provider_answering(status: int, body: bytes) -> Fault:
    @contextmanager
    def fault(world: World) -> Iterator[None]:
        world.stooq.answer_for_all = (status, body)
        yield
        world.stooq.answer_for_all = None
        # A worker that has seen a provider out does not ask it again for up to a minute, and rightly so; one that has
        # not seen it does.
        _replace_workers(world)

    return fault


@contextmanager
def _database_locked(world: World) -> Iterator[None]:
    with closing(sqlite3.connect(world.system.database, timeout=5, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def _database_busy(world: World) -> Iterator[None]:
    """Somebody else writes most of the time."""
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(world.system.database, timeout=5, isolation_level=None)) as connection:
            while not over.wait(0.05):
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(0.2)
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@contextmanager
def _api_killed(world: World) -> Iterator[None]:
    world.system.kill_api()
    yield


@contextmanager
def _api_child_killed(world: World) -> Iterator[None]:
    world.system.kill_api_child()
    yield


def _replace_workers(world: World) -> None:
    for worker in list(world.system.workers):
        world.system.start_worker()
        world.system.end_worker(worker)


FAULTS: dict[str, dict[str, Fault]] = {
    "link": {
        "connection cut": _cut,
        "black hole up": _black_hole(Direction.UP),
        "black hole down": _black_hole(Direction.DOWN),
        "black hole": _black_hole(),
        "refused": _refused,
        "frozen": _frozen,
        "slow": _slow,
        "sliced": _sliced,
        "truncated": _truncated,
    },
    "worker": {
        "killed": _worker_killed,
        "paused": _worker_paused,
        "restarted": _worker_restarted,
        "all restarted": _all_workers_restarted,
    },
    "broker": {
        "stopped": _broker_stopped,
        "killed": _broker_killed,
        "memory alarm": _memory_alarm,
        "queue deleted": _queue_deleted,
        "connections closed": _connections_closed,
    },
    "provider": {
        "slow": _provider_slow,
        "broken": _provider_answering(500, b""),
        "over its limit": _provider_answering(429, b""),
    },
    "database": {"locked": _database_locked, "busy": _database_busy},
    "api": {"killed": _api_killed, "child killed": _api_child_killed},
}
"""By what they break: two of one kind are never there at once."""
