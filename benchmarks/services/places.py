"""Where rows go and messages pass: a private broker, and a private PostgreSQL with a database for each that asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.frame import NotMeasurableError
from scripts.brokers import own_broker
from scripts.private_broker import BrokerError, PrivateBroker
from scripts.private_postgres import PostgresError, PrivatePostgres, ensure_programs

Say = Callable[[str], None]


@contextmanager
def broker(directory: Path, say: Say) -> Iterator[PrivateBroker]:
    """:raises NotMeasurableError: there is none that we may run here."""
    try:
        started = own_broker(directory / "broker", say)
    except BrokerError as error:
        raise NotMeasurableError(str(error)) from error
    if not isinstance(started, PrivateBroker):
        raise NotMeasurableError("The broker's CPU time is measured, so it must run here: install rabbitmq-server.")
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def postgres(directory: Path, say: Say, *, durable: bool = False) -> Iterator[PrivatePostgres]:
    """:raises NotMeasurableError: there is none that we may run here."""
    directory.chmod(0o755)  # its user is another one, and passes through
    try:
        ensure_programs(say)
    except PostgresError as error:
        raise NotMeasurableError(str(error)) from error
    home = directory / "postgres"
    home.mkdir()
    server = PrivatePostgres(home, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def new_database(server: PrivatePostgres, name: str) -> tuple[str, str]:
    """Make one; how SQLAlchemy and how libpq names it."""
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    host = server.conninfo.split()[0].removeprefix("host=")
    return f"postgresql+psycopg://postgres@/{name}?host={host}", f"{server.conninfo} dbname={name}"
