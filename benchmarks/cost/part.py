"""The one case of part `cost`: both services as in docker-compose.yml, started, called often, and left alone."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.cost.page import API_PROCESSES, CASE, QUIET_SECONDS, page
from benchmarks.end_to_end.processor_time import processor_seconds
from benchmarks.frame import Case, Effort, Figures, Measured, NotMeasurableError
from benchmarks.services.clients import Clients, not_ok, rate
from benchmarks.services.places import broker, new_database, postgres
from benchmarks.services.provider import provider
from benchmarks.services.running import Services
from benchmarks.usage import Usage, usage_of_group
from scripts.private_broker import PrivateBroker
from scripts.private_postgres import PrivatePostgres

__all__ = ["cases", "effort", "name", "page"]

_CONNECTIONS: Final = 32
_SETTINGS: Final = {"WEB_CONCURRENCY": str(API_PROCESSES), "QUOTE_TTL": "3600"}
_PATHS: Final = [f"/api/v1/stock?q=s{number}.us" for number in range(100)]
_CALLS: Final = 100_000
_QUICK_CALLS: Final = 5_000
_WARM_UP: Final = 0.05
"""Of the calls: after them everything is there that is made with the first calls."""
_QUICK_EFFORT: Final = Effort(rounds=1, seconds=QUIET_SECONDS + 1)
_OPEN: Final = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'api_service'"

name = "cost"


def effort(*, quick: bool) -> Effort:
    """A full round takes three minutes, so there is one; the figures are counts of much, not times of little."""
    return _QUICK_EFFORT if quick else Effort(rounds=1, seconds=QUIET_SECONDS + 10)


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    calls = _QUICK_CALLS if effort == _QUICK_EFFORT else _CALLS
    with ExitStack() as ending:
        node = ending.enter_context(broker(directory, say))
        server = ending.enter_context(postgres(directory, say))
        upstream = ending.enter_context(provider(0.0, directory)).url
        uri, conninfo = new_database(server, "cost")
        services = Services(directory, database=uri, broker=node.url, provider=upstream, settings=_SETTINGS)
        services.prepare()
        yield [Case(CASE, partial(_measure, services, _Shared(node, server, conninfo), calls, effort.seconds))]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What both services use."""

    broker: PrivateBroker
    database: PrivatePostgres
    conninfo: str

    def cpu(self) -> dict[str, float]:
        """Seconds so far; PostgreSQL's processes are no group, but all are children of its first."""
        assert self.broker.process
        assert self.database.pid
        return processor_seconds({"broker": self.broker.process.pid, "database": self.database.pid})


def _measure(services: Services, shared: _Shared, calls: int, quiet: float) -> Measured:
    with services.worker() as worker, services.api() as api:
        groups = {"api": api.child.pid, "worker": worker.child.pid}
        fresh = _usage(groups)
        with Clients(services.port, services.token(), _CONNECTIONS) as clients:
            _call(clients, int(calls * _WARM_UP))
            before, shared_before = _usage(groups), shared.cpu()
            per_second = _call(clients, calls)
            after, shared_after = _usage(groups), shared.cpu()
        connections = _connections(shared)
        idle_from = _usage(groups)
        time.sleep(quiet)
        idle_to = _usage(groups)
    return {
        "start": {"api_s": api.seconds, "worker_s": worker.seconds},
        "fresh": {f"{part}_bytes": float(usage.memory) for part, usage in fresh.items()},
        "warm": {f"{part}_bytes": float(before[part].memory) for part in groups},
        "after": {f"{part}_bytes": float(after[part].memory) for part in groups},
        "calls": {
            "calls": calls,
            "rate": per_second,
            **_cpu("cpu_ms", before, after, 1000 / calls),
            **{f"{part}_cpu_ms": (shared_after[part] - shared_before[part]) * 1000 / calls for part in shared_after},
        },
        "idle": _cpu("percent", idle_from, idle_to, 100 / quiet),
        "connections": connections,
    }


def _call(clients: Clients, calls: int) -> float:
    """Answers in a second."""
    answers = clients.ask(islice(cycle(_PATHS), calls))
    if failed := not_ok(answers):
        raise NotMeasurableError(f"{failed} of {calls} calls were answered with something else than 200")
    return rate(answers)


def _usage(groups: dict[str, int]) -> dict[str, Usage]:
    return {part: usage_of_group(group) for part, group in groups.items()}


def _cpu(unit: str, before: dict[str, Usage], after: dict[str, Usage], factor: float) -> Figures:
    return {f"{part}_{unit}": (after[part].cpu - before[part].cpu) * factor for part in before}


def _connections(shared: _Shared) -> Figures:
    """Open ones, of all processes of the API and of the stock service."""
    listed = shared.broker.ctl("list_connections", "--no-table-headers", "name")
    with psycopg.connect(shared.conninfo) as connection:
        row = connection.execute(_OPEN).fetchone()
    assert row
    return {"broker": len(listed.splitlines()), "database": row[0]}
