"""What is compared: for each variant the programs that serve it and what they are told."""

import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.end_to_end.places import Database
from scripts import services

PROCESSES: Final = 2
THREADS: Final = 16
"""Requests at a time in each process."""
_KEY: Final = secrets.token_hex(32)
_LIMITS: Final = ("RATE_LIMIT_QUOTES", "RATE_LIMIT_READS", "RATE_LIMIT_LOGIN", "RATE_LIMIT_ADDRESS")
_PROGRAMS: Final = "benchmarks.end_to_end.programs"
_MODULE: Final = (sys.executable, "-m")
_GTHREAD: Final = ("-k", "gthread", "-w", str(PROCESSES), "--threads", str(THREADS), "--no-control-socket")

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """What one variant is given."""

    port: int
    amqp_url: str
    database: Database
    stooq_url: str
    heartbeat: Path
    key: str = _KEY


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of serving `GET /api/v1/stock`."""

    name: str
    meaning: str
    api: Callable[[Place], tuple[str, ...]]
    environment: Callable[[Place], Environment]
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that make the tables and the user with the number 1."""
    worker: tuple[str, ...] = ()
    root: Path = services.ROOT
    """Where its code lies: to compare two versions, give one of them another folder."""
    ready_path: str = "/healthz"
    logs_in: bool = field(default=True)
    """With the user johndoe; otherwise a token is made for it."""


def ours(name: str = "ours", root: Path = services.ROOT, **settings: str) -> Variant:
    return Variant(
        name,
        "this service: two processes of the API and one stock worker",
        api=lambda _: services.API,
        environment=partial(_our_environment, settings=settings),
        prepare=(services.MIGRATE, services.SEED_USERS),
        worker=services.STOCK_WORKER,
        root=root,
    )


def ceiling(name: str = "ceiling", root: Path = services.ROOT) -> Variant:
    return Variant(
        name,
        "this service with a constant in place of the RPC call",
        api=lambda _: (*services.API[:-1], f"{_PROGRAMS}.ceiling:app"),
        environment=partial(_our_environment, settings={}),
        prepare=(services.MIGRATE, services.SEED_USERS),
        root=root,
    )


def bare() -> Variant:
    return Variant(
        "bare",
        "Flask, a JWT and one INSERT with the driver, nothing else",
        api=lambda place: _gunicorn(place, "bare"),
        environment=_plain_environment,
        prepare=((*_MODULE, f"{_PROGRAMS}.bare"),),
        ready_path="/",
        logs_in=False,
    )


def original() -> Variant:
    return Variant(
        "original",
        "Flask-JWT-Extended, ORM sessions and the tutorial's RPC: a connection for each call, no cache",
        api=lambda place: _gunicorn(place, "original_api"),
        environment=_plain_environment,
        prepare=((*_MODULE, f"{_PROGRAMS}.original_api"),),
        worker=(*_MODULE, f"{_PROGRAMS}.original_worker"),
        ready_path="/",
        logs_in=False,
    )


def _gunicorn(place: Place, program: str) -> tuple[str, ...]:
    return (*_MODULE, "gunicorn", *_GTHREAD, "-b", f"127.0.0.1:{place.port}", f"{_PROGRAMS}.{program}:app")


def _our_environment(place: Place, settings: Environment) -> Environment:
    return {
        "APP_ENV": "production",
        "SECRET_KEY": place.key,
        "DATABASE_URI": place.database.uri,
        "STOCK_TRANSPORT": "rpc",
        "RABBITMQ_URL": place.amqp_url,
        "QUOTE_PROVIDERS": "stooq",
        "QUOTE_TTL": "3600",
        "STOOQ_URL": place.stooq_url,
        "WORKER_HEARTBEAT_FILE": str(place.heartbeat),
        "PORT": str(place.port),
        "WEB_CONCURRENCY": str(PROCESSES),
        "WEB_THREADS": str(THREADS),
        "LOG_LEVEL": "INFO",
        **dict.fromkeys(_LIMITS, "off"),
        **settings,
    }


def _plain_environment(place: Place) -> Environment:
    return {
        "SECRET_KEY": place.key,
        "DATABASE_URI": place.database.uri,
        "BENCH_DATABASE": place.database.plain,
        "RABBITMQ_URL": place.amqp_url,
        "STOOQ_URL": place.stooq_url,
        "WORKER_HEARTBEAT_FILE": str(place.heartbeat),
    }
