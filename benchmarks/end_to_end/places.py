"""Where rows go and messages pass: a database for each variant, and a virtual host of one private broker."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from scripts.brokers import own_broker
from scripts.private_broker import PrivateBroker
from scripts.private_postgres import PrivatePostgres, ensure_programs
from tests.stand_ins import StooqStandIn

Kind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class Database:
    """One that a variant has for itself."""

    uri: str
    """For SQLAlchemy."""
    plain: str
    """For the driver itself: a path, or what libpq takes."""

    def rows(self) -> int:
        """How many entries the history has."""
        with closing(self._connect()) as connection:
            (count,) = connection.execute("SELECT count(*) FROM history").fetchone()
        return int(count)

    def _connect(self) -> Any:
        return psycopg.connect(self.plain) if "host=" in self.plain else sqlite3.connect(self.plain)


@dataclass(frozen=True, slots=True)
class Places:
    """What all variants of one run share."""

    directory: Path
    broker: PrivateBroker
    stooq_url: str
    kind: Kind
    postgres: PrivatePostgres | None

    def database(self, name: str) -> Database:
        """A new one."""
        if self.postgres is None:
            path = self.directory / f"{name}.sqlite3"
            return Database(f"sqlite:///{path}", str(path))
        with psycopg.connect(self.postgres.conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        host = self.postgres.conninfo.split()[0].removeprefix("host=")
        return Database(
            f"postgresql+psycopg://postgres@/{name}?host={host}", f"{self.postgres.conninfo} dbname={name}"
        )

    @property
    def shared_pids(self) -> dict[str, int]:
        """The processes that all variants use, by name."""
        pids = {"broker": self.broker.process.pid} if self.broker.process else {}
        return pids | ({"database": self.postgres.pid} if self.postgres and self.postgres.pid else {})


@contextmanager
def places(directory: Path, kind: Kind) -> Iterator[Places]:
    """A broker, a provider and, for PostgreSQL, a server whose commits are on the disk; ended with the block."""
    with ExitStack() as ending:
        broker = own_broker(directory / "broker", print)
        assert isinstance(broker, PrivateBroker), "the broker's processor time is part of what is measured"
        ending.callback(broker.stop)
        stooq = StooqStandIn()
        ending.callback(stooq.close)
        postgres = None
        if kind == "postgresql":
            ensure_programs(print)
            (directory / "postgres").mkdir()
            postgres = PrivatePostgres(directory / "postgres", durable=True)
            postgres.start()
            ending.callback(postgres.stop)
        yield Places(directory, broker, stooq.url, kind, postgres)
