"""The cases of part `uncached`: so many stock services with so many threads, before a provider that takes 200 ms."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.frame import Case, Effort, Figures, Measured
from benchmarks.services.clients import Clients, all_ms, for_seconds, not_ok, rate
from benchmarks.services.places import broker, new_database, postgres
from benchmarks.services.provider import Provider, provider
from benchmarks.services.running import Services
from benchmarks.uncached.page import CALLERS, DISTINCT, PROVIDER_SECONDS, WORKERS, page

__all__ = ["cases", "effort", "name", "page"]

_OUTSTANDING: Final = 64
"""Calls for new symbols while the rate is measured: more than any of the cases can handle at a time."""
_API: Final = {"WEB_CONCURRENCY": "2"}
"""As in docker-compose.yml."""

name = "uncached"
_symbols = count()


def effort(*, quick: bool) -> Effort:
    return Effort(rounds=1, seconds=1.5) if quick else Effort(rounds=3, seconds=3.0)


@dataclass(frozen=True, slots=True)
class _Place:
    """What the cases share: the API's tables, and the provider."""

    directory: Path
    database: str
    provider: Provider


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    with ExitStack() as ending:
        node = ending.enter_context(broker(directory, say))
        server = ending.enter_context(postgres(directory, say))
        upstream = ending.enter_context(provider(PROVIDER_SECONDS, directory))
        place = _Place(directory, new_database(server, "uncached")[0], upstream)
        hosts = {label: node.add_vhost(f"uncached{number}") for number, label in enumerate(WORKERS)}
        _services(place, next(iter(hosts.values()))).prepare()
        yield [Case(label, partial(_measure, place, label, host, effort.seconds)) for label, host in hosts.items()]


def _services(place: _Place, host: str) -> Services:
    return Services(place.directory, database=place.database, broker=host, provider=place.provider.url, settings=_API)


def _measure(place: _Place, label: str, host: str, seconds: float) -> Measured:
    services = _services(place, host)
    with ExitStack() as ending:
        for number, threads in enumerate(WORKERS[label]):
            ending.enter_context(services.worker(f"worker{number}", WORKER_THREADS=str(threads)))
        ending.enter_context(services.api())
        token = services.token()
        with Clients(services.port, token, DISTINCT) as clients:
            clients.ask(_new(DISTINCT))  # connections and pools are made now
            burst = _burst(clients, place.provider)
        with Clients(services.port, token, _OUTSTANDING) as clients:
            answers = clients.ask(for_seconds(seconds, (_path(number) for number in _symbols)))
        with Clients(services.port, token, CALLERS) as clients:
            one = _one_symbol(clients, place.provider)
        return {"burst": burst, "flow": {"rate": rate(answers), "not_ok": not_ok(answers)}, "one": one}


def _burst(clients: Clients, upstream: Provider) -> Figures:
    """Symbols that nobody knows, all at once; then as many calls for one that every stock service knows."""
    (known,) = _new(1)
    clients.ask(repeat(known, 2 * DISTINCT))
    upstream.asked()
    answers = clients.ask(_new(DISTINCT))
    asked = upstream.asked()
    cached = clients.ask(repeat(known, DISTINCT))
    return {
        "all_ms": all_ms(answers),
        "p50_ms": median(answer.ms for answer in answers),
        "cached_all_ms": all_ms(cached),
        "not_ok": not_ok([*answers, *cached]),
        "upstream_calls": asked.total(),
    }


def _one_symbol(clients: Clients, upstream: Provider) -> Figures:
    (path,) = _new(1)
    upstream.asked()
    answers = clients.ask(repeat(path, CALLERS))
    return {"all_ms": all_ms(answers), "not_ok": not_ok(answers), "upstream_calls": upstream.asked().total()}


def _new(number: int) -> list[str]:
    """Paths that ask for symbols that nobody has asked for."""
    return [_path(next(_symbols)) for _ in range(number)]


def _path(number: int) -> str:
    return f"/api/v1/stock?q=s{number}.us"
