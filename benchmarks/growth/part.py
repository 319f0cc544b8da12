"""The cases of part `growth`: databases with histories of different lengths, all of them served at the same time."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.frame import Case, Effort, Figures, Measured, NotMeasurableError
from benchmarks.growth.export import exports
from benchmarks.growth.fill import fill
from benchmarks.growth.page import POSTGRES, SQLITE, label, page
from benchmarks.services.clients import Clients, for_seconds, not_ok
from benchmarks.services.places import broker, new_database, postgres
from benchmarks.services.provider import provider
from benchmarks.services.running import Services
from scripts.private_broker import PrivateBroker
from scripts.private_postgres import PrivatePostgres

__all__ = ["cases", "effort", "name", "page"]

_LONG: Final = {POSTGRES: (10**3, 10**5, 10**7), SQLITE: (10**3, 10**6)}
_QUICK: Final = {POSTGRES: (10**3, 10**5), SQLITE: (10**3, 10**5)}
_CACHED: Final = {"QUOTE_TTL": "3600"}

_QUICK_EFFORT: Final = Effort(rounds=3, seconds=0.15)

name = "growth"


def effort(*, quick: bool) -> Effort:
    return _QUICK_EFFORT if quick else Effort(rounds=12, seconds=0.3)


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    """A full run takes about 4 GB of the disk."""
    sizes = _QUICK if effort == _QUICK_EFFORT else _LONG
    histories = [(kind, rows) for kind, lengths in sizes.items() for rows in lengths]
    with ExitStack() as ending:
        node = ending.enter_context(broker(directory, say))
        server = ending.enter_context(postgres(directory, say))
        upstream = ending.enter_context(provider(0.0, directory)).url
        made: list[Case] = []
        for kind, rows in histories:
            began = time.perf_counter()
            filled_at = datetime.now(UTC)
            services, middle = _filled(kind, rows, directory, node, server, upstream)
            say(f"filled {label(kind, rows)} in {time.perf_counter() - began:.0f} s")
            if not made:
                ending.enter_context(services.worker())
            api = ending.enter_context(services.api())
            measure = _measuring(services, middle, effort.seconds)
            if rows == sizes[kind][-1]:
                measure = _once_with(partial(exports, services, api.child.pid, filled_at), measure)
            made.append(Case(label(kind, rows), measure))
        yield made


def _filled(
    kind: str, rows: int, directory: Path, node: PrivateBroker, server: PrivatePostgres, upstream: str
) -> tuple[Services, int]:
    """An API for one history, and the id in the middle of johndoe's entries. All share one stock service."""
    name = f"growth_{kind.lower()}_{rows}"
    uri = new_database(server, name)[0] if kind == POSTGRES else f"sqlite:///{directory / f'{name}.sqlite3'}"
    services = Services(directory / name, database=uri, broker=node.url, provider=upstream, settings=_CACHED)
    services.prepare()
    return services, fill(uri, rows)


def _measuring(services: Services, middle: int, seconds: float) -> Callable[[], Measured]:
    own, admin = services.token(), services.token("admin")
    paths = {
        "stats": (admin, "/api/v1/stats"),
        "first page": (own, "/api/v1/users/history"),
        "deep page": (own, f"/api/v1/users/history?before={middle}"),
        "stock": (own, "/api/v1/stock?q=s1.us"),
    }
    return lambda: {scenario: _times(services.port, token, path, seconds) for scenario, (token, path) in paths.items()}


def _once_with(more: Callable[[], Measured], measure: Callable[[], Measured]) -> Callable[[], Measured]:
    """Measure `more` in the first round only: it takes long, and is much rather than often."""
    added = chain([more], repeat(dict))
    return lambda: {**measure(), **next(added)()}


def _times(port: int, token: str, path: str, seconds: float) -> Figures:
    """One call after the other."""
    with Clients(port, token) as clients:
        clients.ask([path])  # the connection is made now
        answers = clients.ask(for_seconds(seconds, repeat(path)))
    if failed := not_ok(answers):
        raise NotMeasurableError(f"{path} was answered {failed} times with something else than 200")
    return {"p50_ms": median(answer.ms for answer in answers)}
