"""The metrics of a gunicorn server, all its processes together: the hooks for its configuration file.

Each process writes its numbers into files of its own, in a directory in memory that the master makes at its start; who
is asked for metrics reads the files of all. The port is opened by the master, as gunicorn's own are, and each worker
answers on it: the master has no thread that a fork could cut off in the middle of something, no further process is
needed, and while one worker lives there is an answer. docs/adr/0019-metrics.md.

`open_metrics` comes before the first import of a module that defines metrics: where their values are kept is decided
when they are made.
"""

import os
import shutil
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service_kit.metrics_server import listen_or_exit, serve_metrics

_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for its files."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  the directory in it has a name that nobody knows


@dataclass
class _Shared:
    listener: socket.socket
    directory: Path
    seats: dict[int, int] = field(default_factory=dict)
    """Of the workers that live, by their number in gunicorn's count.

    The files carry the seat's name and not a process id: who takes the seat of a worker that has ended goes on
    counting in its files, so there are never more of them than workers at a time.
    """
    seat: str = "master"


_shared: _Shared | None = None


def open_metrics(host: str, port: int) -> None:
    """In the master: open the port and make the directory, unless `port` is 0. A reload finds both as they are.

    :raises SystemExit: status 1, the port cannot be opened.
    """
    global _shared  # noqa: PLW0603  hooks are functions, and what they share lives as long as the process
    if not port or _shared is not None:
        return
    listener = listen_or_exit(host, port)
    # In memory: a write to a file on a busy disk would make its request wait.
    directory = tempfile.mkdtemp(prefix="stock-quotes-metrics-", dir=_MEMORY if _MEMORY.is_dir() else None)
    os.environ[_DIRECTORY] = directory
    _shared = _Shared(listener, Path(directory))
    values.ValueClass = values.MultiProcessValue(_seat)  # type: ignore[no-untyped-call]


def pre_fork(_server: Any, worker: Any) -> None:
    """In the master: give the worker the first seat that is free."""
    if _shared:
        taken = set(_shared.seats.values())
        _shared.seats[worker.age] = next(seat for seat in range(len(taken) + 1) if seat not in taken)


def post_fork(_server: Any, worker: Any) -> None:
    if _shared:
        _shared.seat = str(_shared.seats[worker.age])


def post_worker_init(_worker: Any) -> None:
    if _shared:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(_shared.directory))  # type: ignore[no-untyped-call]
        serve_metrics(_shared.listener, registry)


def child_exit(_server: Any, worker: Any) -> None:
    """In the master: what the worker was in the middle of has ended with it; what it has counted stays."""
    if _shared and (seat := _shared.seats.pop(worker.age, None)) is not None:
        mark_process_dead(str(seat), str(_shared.directory))  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    if _shared:
        shutil.rmtree(_shared.directory, ignore_errors=True)


def _seat() -> str:
    return _shared.seat if _shared else "none"
