"""Connections to PostgreSQL that nobody waits for longer than a request may take.

The server's own limits (`statement_timeout`) hold for each statement, not for a transaction, and do not help when its
answer cannot reach us: the machine is frozen, or a firewall swallows the packets. The driver would wait for ever.
"""

import math
import select
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InvalidatePoolError

from api_service.transaction_deadline import current_deadline
from service_kit import time_budget

_Value = TypeVar("_Value")

_INTERVAL: Final = 0.1
"""Seconds between two looks of the driver at whether it was interrupted; its own default."""
_SHORTEST: Final = 0.001
_TRUSTED: Final = 1.0
"""Seconds after an answer in which a connection is used without a look at whether it still works, which costs a way to
the server and back."""


class BoundedConnection(psycopg.Connection[Any]):
    """Is closed when an answer does not come within `patience` seconds, or by the deadline of the transaction.

    A `patience` of None means any time.
    """

    patience: float | None = time_budget.DATABASE_ANSWER
    answered_at = math.inf
    """By the monotonic clock; of a new connection, never too long ago."""

    def wait(
        self, gen: Generator[Any, Any, _Value], interval: float = _INTERVAL, timeout: float | None = None
    ) -> _Value:
        """:raises psycopg.OperationalError: the answer did not come, and the connection is of no more use."""
        try:
            result = super().wait(gen, interval, _bounded(self.patience) if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not the server's words: it gave no answer, or is gone
                self.close()
            raise
        self.answered_at = time.monotonic()
        return result

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, Self]:
        """Give up by the deadline of the transaction: the driver's `connect_timeout` is two seconds at least.

        The driver resumes this generator several times a second, with what has happened on the socket.
        """
        attempt, deadline = super()._connect_gen(conninfo), current_deadline()
        wanted = next(attempt)
        while deadline is None or not deadline.expired:
            ready = yield wanted
            try:
                wanted = attempt.send(ready)
            except StopIteration as end:
                connection: Self = end.value
                return connection
        attempt.close()
        raise psycopg.errors.ConnectionTimeout


def bound_connections(engine: Engine) -> None:
    """Have `engine` make bounded connections, and look shortly whether one that lay in the pool still works."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _look)


@contextmanager
def without_transaction(connection: Connection) -> Iterator[None]:
    """Have the driver send what is executed in this block as it is, without a BEGIN before it."""
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True  # SQLAlchemy's AUTOCOMMIT would also name the isolation level in every later BEGIN
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)


def _look(connection: BoundedConnection, _record: object, _proxy: object) -> None:
    """As `pool_pre_ping` does; but who has just answered is looked at only when there is something to read.

    :raises InvalidatePoolError: it does not work, so those as old as it may not either; the pool makes a new one.
    """
    if time.monotonic() - connection.answered_at < _TRUSTED and _is_quiet(connection):
        return
    connection.patience = time_budget.DATABASE_PING
    try:
        connection.autocommit = True
        connection.execute("")
        connection.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError from error
    connection.patience = time_budget.DATABASE_ANSWER


def _is_quiet(connection: BoundedConnection) -> bool:
    """Nothing has come since its last answer: no farewell of the server, no end of the way to it."""
    if connection.closed:
        return False
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return not socket.poll(0)


def _bounded(patience: float | None) -> float | None:
    if (deadline := current_deadline()) is None:
        return patience
    left = max(_SHORTEST, deadline.remaining())
    return left if patience is None else min(patience, left)
