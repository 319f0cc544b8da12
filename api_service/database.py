"""The way to the database: engine options, and one read and one write context for all SQL.

Everything goes through `reading`, `writing` and `written`, on SQLAlchemy Core connections: an ORM session on every
request costs about three times as much. Whatever the database does wrong leaves as `DatabaseUnavailableError`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api_service import metrics, sqlite_writing
from api_service.database_troubles import FAILED, trouble_of
from api_service.models import Base
from api_service.transaction_deadline import bounded_by
from service_kit import time_budget
from service_kit.deadline import Deadline

_Result = TypeVar("_Result")
_AFTER_COMMIT: Final = "api_service_after_commit"

_log = logging.getLogger(__name__)

db = SQLAlchemy(metadata=Base.metadata)


class DatabaseUnavailableError(Exception):
    """The database did not do what was asked: away, locked, full, out of time. Nothing of the transaction is left.

    `passing` when the same transaction may succeed if it is tried again at once; `refused` when the database is well
    and would not do this one.
    """

    def __init__(self, *, passing: bool = False, refused: bool = False) -> None:
        super().__init__()
        self.passing = passing
        self.refused = refused


def init_app(app: Flask, uri: str, pool_size: int) -> None:
    """Use the database at `uri`, with at most `pool_size` connections; the first statement connects.

    A relative SQLite path is taken from the instance folder.
    """
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(uri, pool_size)
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            sqlite_writing.prepare(db.engine)
        else:
            from api_service import postgresql  # with SQLite its driver need not be loaded

            postgresql.bound_connections(db.engine)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for reading, at one consistent state of the database.

    :raises DatabaseUnavailableError: the database did not answer in time, or with an error.
    """
    with _troubles_named(), db.engine.connect() as connection:
        yield connection


def read_row(query: Executable, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The one row that `query` finds, if there is one.

    A query by itself sees one state of the database, so it needs no transaction, which costs two statements more.

    :raises DatabaseUnavailableError: as `reading` says.
    """
    with _troubles_named(), db.engine.connect() as connection, _bare(connection):
        row = connection.execute(query, values).one_or_none()
    return None if row is None else tuple(row)


@contextmanager
def writing() -> Iterator[Connection]:
    """One transaction that may write: committed when the block ends, rolled back when it raises.

    :raises DatabaseUnavailableError: nothing was saved. (When the connection broke during the commit itself nobody
        can say; that is why rows are keyed by request.)
    """
    with _transaction(Deadline.after(time_budget.DATABASE_SAVE), time_budget.DATABASE_LOCK) as connection:
        yield connection


def after_commit(connection: Connection, call: Callable[[], None]) -> None:
    """Have `call` run when what is written on `connection`, of `writing` or `written`, is committed, and only then."""
    connection.get_execution_options()[_AFTER_COMMIT].append(call)


def written(work: Callable[[Connection], _Result], deadline: Deadline | None = None) -> _Result:
    """What `work` returns, done and committed in one transaction, by `deadline` or within the budget for saving.

    When a lock or the connection is lost the whole of it is done once more within the same time, so `work` must leave
    the same behind when it is done twice: the first may have been committed after all.

    :raises DatabaseUnavailableError: as `writing` says.
    """
    deadline = deadline or Deadline.after(time_budget.DATABASE_SAVE)
    try:
        with _transaction(deadline, time_budget.DATABASE_LOCK) as connection:
            return work(connection)
    except DatabaseUnavailableError as error:
        if not error.passing or deadline.expired:
            raise
    patience = min(time_budget.DATABASE_LOCK, deadline.remaining() / 2)  # the other half is for the work itself
    with _transaction(deadline, patience) as connection:
        _limit_statements(connection, patience, deadline)
        return work(connection)


def will_write(connection: Connection, deadline: Deadline) -> Connection:
    """On SQLite, let each transaction of `connection` begin by taking the write lock, for which it waits so long."""
    return connection.execution_options(**{sqlite_writing.WRITE_DEADLINE: deadline})


def insert_into(table: Any, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An INSERT with the `on_conflict_...` methods of that dialect, and a rowcount of what was really inserted."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).inline().execution_options(preserve_rowcount=True)


def _engine_options(uri: str, pool_size: int) -> dict[str, Any]:
    common = {
        "hide_parameters": True,  # they would stand in the text of errors, and so in logs
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": time_budget.DATABASE_LOCK,
    }
    if make_url(uri).get_backend_name() == "sqlite":
        # isolation_level None keeps the driver from opening transactions: `sqlite_writing` does that.
        return {**common, "connect_args": {"timeout": time_budget.DATABASE_LOCK, "isolation_level": None}}
    limits = {
        "lock_timeout": _ms(time_budget.DATABASE_LOCK),
        "statement_timeout": _ms(time_budget.DATABASE_SAVE),
        # When the way to us is lost the server notices late; what a lost transaction has locked is free again then.
        "idle_in_transaction_session_timeout": _ms(time_budget.DATABASE_IDLE),
        "timezone": "UTC",
    }
    connect_args = {
        "connect_timeout": 2,  # psycopg and libpq take no less
        "tcp_user_timeout": _ms(time_budget.DATABASE_SAVE),  # nothing is acknowledged: the way is lost
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        "application_name": "api_service",
    }
    return {**common, "connect_args": connect_args}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _limit_statements(connection: Connection, lock_patience: float, deadline: Deadline) -> None:
    """On PostgreSQL each statement has limits of its own: make them those of a second try."""
    if connection.dialect.name == "postgresql":
        lock, whole = (max(1, _ms(seconds)) for seconds in (lock_patience, deadline.remaining()))  # 0 means for ever
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {whole}")


def _bare(connection: Connection) -> AbstractContextManager[None]:
    if connection.dialect.name == "sqlite":
        connection.execution_options(**{sqlite_writing.BARE: True})
        return nullcontext()
    from api_service.postgresql import without_transaction  # with SQLite its driver need not be loaded

    return without_transaction(connection)


@contextmanager
def _transaction(deadline: Deadline, lock_patience: float) -> Iterator[Connection]:
    engine = db.engine
    calls: list[Callable[[], None]] = []
    with (
        _troubles_named(),
        bounded_by(Deadline(deadline.at + time_budget.DATABASE_ROLLBACK)),
        _turn_to_write(engine, deadline.within(lock_patience)),
        engine.connect().execution_options(**{_AFTER_COMMIT: calls}) as connection,
    ):
        will_write(connection, deadline.within(lock_patience))
        with connection.begin() as transaction:
            yield connection
            with _troubles_named(in_commit=True):
                transaction.commit()
    for call in calls:
        call()


@contextmanager
def _turn_to_write(engine: Engine, deadline: Deadline) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    if not sqlite_writing.writers.acquire(timeout=deadline.remaining()):
        _log.error("db.write_queue_timeout")
        metrics.DATABASE_TROUBLES.labels("write_queue_timeout").inc()
        raise DatabaseUnavailableError
    try:
        yield
    finally:
        sqlite_writing.writers.release()


@contextmanager
def _troubles_named(*, in_commit: bool = False) -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        _log.warning("db.pool_timeout")
        metrics.DATABASE_TROUBLES.labels("pool_timeout").inc()
        raise DatabaseUnavailableError from error
    except DBAPIError as error:
        trouble = trouble_of(error, in_commit=in_commit)
        metrics.DATABASE_TROUBLES.labels(trouble.event.removeprefix("db.")).inc()
        # Only the class and code of the driver's error: its text can hold values of rows.
        code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
        _log.log(trouble.level, trouble.event, extra={"error": type(error.orig).__name__, "code": code})
        raise DatabaseUnavailableError(passing=trouble.passing, refused=trouble is FAILED) from error
