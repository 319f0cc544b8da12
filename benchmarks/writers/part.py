"""The cases of part `writers`: one popular stock, or one for each writer, on a PostgreSQL that syncs its commits."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from api_service.models import COUNT_SLOTS
from benchmarks.frame import Case, Effort, Measured, NotMeasurableError
from benchmarks.services.places import new_database, postgres
from benchmarks.services.running import Services
from benchmarks.writers.page import CASES, page
from scripts.child_processes import Child

__all__ = ["cases", "effort", "name", "page"]

_PROCESSES: Final = 2
_THREADS: Final = 8
"""In each process: 16 writers."""
_PATIENCE: Final = 30.0
_COUNTED: Final = "SELECT symbol, sum(times)::bigint FROM stock_request_counts GROUP BY symbol"
_SAVED: Final = "SELECT lower(symbol), count(*) FROM history GROUP BY 1"

name = "writers"


class UntrueError(NotMeasurableError):
    """The counts are not what was saved."""


def effort(*, quick: bool) -> Effort:
    return Effort(rounds=1, seconds=1.5) if quick else Effort(rounds=7, seconds=3.0)


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    with ExitStack() as ending:
        server = ending.enter_context(postgres(directory, say, durable=True))
        uri, conninfo = new_database(server, "writers")
        services = Services(
            directory, database=uri, broker="amqp://nobody:nowhere@127.0.0.1:1/", provider="http://127.0.0.1:1/"
        )
        services.prepare()
        yield [
            Case(label, partial(_measure, ending.enter_context(_writers(services, *how)), conninfo, effort.seconds))
            for label, how in CASES.items()
        ]


@contextmanager
def _writers(services: Services, symbols: int, counters: int) -> Iterator[list[Child]]:
    """Processes that are ready to save."""
    command = [sys.executable, "-m", "benchmarks.writers.program"]
    arguments = [str(number) for number in (_THREADS, symbols, counters or COUNT_SLOTS)]
    with ExitStack() as ending:
        children = [
            ending.enter_context(services.talking(f"writers{number}", [*command, *arguments]))
            for number in range(_PROCESSES)
        ]
        for child in children:
            _line(child)
        yield children


def _measure(writers: list[Child], conninfo: str, seconds: float) -> Measured:
    before = _rows(conninfo)
    for child in writers:
        child.tell(str(seconds))
    saved = sum(int(_line(child)) for child in writers)
    if (rows := _rows(conninfo) - before) != saved:
        raise UntrueError(f"{saved} saves returned, and there are {rows} rows more")
    return {"saving": {"rate": saved / seconds}}


def _rows(conninfo: str) -> int:
    """:raises UntrueError: the counts are not those of the rows."""
    with psycopg.connect(conninfo) as connection:
        counted: dict[str, int] = dict(connection.execute(_COUNTED).fetchall())
        saved: dict[str, int] = dict(connection.execute(_SAVED).fetchall())
    if counted != saved:
        raise UntrueError(f"the counts are {counted}, and the rows {saved}")
    return sum(saved.values())


def _line(child: Child) -> str:
    try:
        line = child.line(_PATIENCE)
    except TimeoutError:
        line = ""
    if not line:
        raise NotMeasurableError(f"the writers do not answer. Their last lines:\n{child.last_lines()}")
    return line
