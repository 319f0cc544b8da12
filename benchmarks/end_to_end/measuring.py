"""Starts every variant, loads them one after the other in rounds, and checks that each 200 is a committed row."""

import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import jwt

from benchmarks.end_to_end.load import Load, Plan
from benchmarks.end_to_end.places import Places
from benchmarks.end_to_end.processor_time import processor_seconds
from benchmarks.end_to_end.variants import Place, Variant
from scripts import services
from scripts.child_processes import Child
from scripts.ports import free_ports

CONNECTIONS: Final = 32
PATH: Final = "/api/v1/stock?q=aapl.us"
_DAY: Final = 86_400
_LOAD: Final = (sys.executable, "-m", "benchmarks.end_to_end.load")
_SPARE: Final = 40.0
"""Seconds beyond its own after which a load is given up."""


class UntrueError(RuntimeError):
    """The database does not hold what the answers said."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One variant in one round."""

    variant: str
    load: Load
    cpu_ms: Mapping[str, float]
    """Processor time for each answered request, by part."""


@dataclass(slots=True)
class Running:
    """A variant that serves."""

    variant: Variant
    place: Place
    token: str
    pids: Mapping[str, int]
    rows: int = 0


def measure(
    variants: Sequence[Variant],
    places: Places,
    rounds: int,
    seconds: float,
    tell: Callable[[Outcome], None],
    warm_up: float = 1.0,
) -> list[Outcome]:
    """`rounds` times each variant in turn, every second time in reverse; all of them run all the time.

    :raises UntrueError: a variant said 200 without a row, or the other way round.
    """
    outcomes = []
    with ExitStack() as ending:
        running = [ending.enter_context(started(variant, places)) for variant in variants]
        for number in range(rounds):
            for one in running if number % 2 == 0 else reversed(running):
                outcomes.append(load_once(one, places, seconds, warm_up))
                tell(outcomes[-1])
    return outcomes


def load_once(one: Running, places: Places, seconds: float, warm_up: float) -> Outcome:
    """:raises UntrueError: it said 200 without a row, or the other way round."""
    pids = {**one.pids, **places.shared_pids}
    before = processor_seconds(pids)
    plan = Plan(one.place.port, PATH, one.token, CONNECTIONS, seconds, warm_up)
    done = subprocess.run(
        _LOAD,
        cwd=services.ROOT,
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        timeout=seconds + warm_up + _SPARE,
        check=True,
    )
    load = Load(**json.loads(done.stdout))
    after = processor_seconds(pids)
    _check_rows(one, load)
    answered = max(1, sum(load.statuses.values()))
    return Outcome(one.variant.name, load, {name: (after[name] - before[name]) * 1000 / answered for name in pids})


def _check_rows(one: Running, load: Load) -> None:
    rows, one.rows = one.place.database.rows() - one.rows, one.place.database.rows()
    said = load.statuses.get("200", 0)
    if not said <= rows <= said + load.lost:
        raise UntrueError(f"{one.variant.name}: {said} answers with 200, {load.lost} lost, and {rows} rows")


@contextmanager
def started(variant: Variant, places: Places) -> Iterator[Running]:
    """On a database and a virtual host of its own; stopped with the block."""
    name = variant.name.replace("-", "_")
    directory = places.directory / name
    directory.mkdir()
    (port,) = free_ports(1)
    place = Place(
        port,
        amqp_url=places.broker.add_vhost(name),
        database=places.database(name),
        stooq_url=places.stooq_url,
        heartbeat=directory / "heartbeat",
    )
    environment = {**variant.environment(place), "PYTHONPATH": str(variant.root)}
    with ExitStack() as ending:
        for number, command in enumerate(variant.prepare):
            # Only in development are there demo users.
            child = _start(f"prepare{number}", command, {**environment, "APP_ENV": "development"}, variant, directory)
            _wait("prepare", child, lambda child=child: child.exit_code == 0)  # type: ignore[misc]  # bound at once
        pids = {}
        if variant.worker:
            child = _start("worker", variant.worker, environment, variant, directory)
            ending.callback(child.stop, services.STOP_SECONDS)
            _wait("worker", child, place.heartbeat.exists)
            pids["worker"] = child.pid
        child = _start("api", variant.api(place), environment, variant, directory)
        ending.callback(child.stop, services.STOP_SECONDS)
        _wait("api", child, lambda: _answers(place.port, variant.ready_path))
        pids["api"] = child.pid
        yield Running(variant, place, _token(variant, place), pids)


def _start(name: str, command: Sequence[str], environment: Mapping[str, str], variant: Variant, logs: Path) -> Child:
    return Child(command, log=logs / f"{name}.log", cwd=variant.root, environment=os.environ | dict(environment))


def _wait(name: str, child: Child, ready: Callable[[], bool]) -> None:
    """:raises ServiceError: it did not come up."""
    end = time.monotonic() + services.READY_SECONDS
    while not ready():
        if child.exit_code or time.monotonic() > end:
            raise services.ServiceError(f"{name} did not start ({child.log}):\n{child.last_lines()}")
        time.sleep(0.1)


def _answers(port: int, path: str) -> bool:
    try:
        return _request(port, "GET", path)[0] < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except OSError:
        return False


def _token(variant: Variant, place: Place) -> str:
    if not variant.logs_in:
        now = int(time.time())
        claims = {
            "sub": "1",
            "iat": now,
            "exp": now + _DAY,
            "jti": str(uuid.uuid4()),
            "type": "access",
            "fresh": False,
        }
        return jwt.encode(claims, place.key)
    status, body = _request(place.port, "POST", "/api/v1/login", {"username": "johndoe", "password": "john"})
    if status != http.HTTPStatus.OK:
        raise services.ServiceError(f"{variant.name}: the log-in was answered with {status}")
    return str(json.loads(body)["token"])


def _request(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
