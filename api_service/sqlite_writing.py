"""SQLite's connections and transactions: one writer at a time, who waits for the others no longer than they take."""

import sqlite3
import threading
import time
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from service_kit import time_budget
from service_kit.deadline import Deadline

WRITE_DEADLINE: Final = "api_service_write_deadline"
"""Execution option: the transaction will write, and waits until then for the lock. See `database.will_write`."""
BARE: Final = "api_service_bare"
"""Execution option: a query by itself, which needs no transaction."""

writers: Final = threading.Lock()
"""SQLite takes one writer at a time. Writers of this process queue here, in a lock that wakes the next one at once;
SQLite's own busy handler sleeps and polls, which costs the slowest ones a second."""

_LOOK_OFTEN: Final = 0.0003
_LOOK_SELDOM: Final = 0.005
_LOOKS_OFTEN_FOR: Final = 0.05
"""Seconds between two looks at a lock that another process has, and for how long it is looked at often."""
_PRIMARY_CODE: Final = 0xFF
"""The part of an SQLite result code that names the kind of error (https://www.sqlite.org/rescode.html)."""


def prepare(engine: Engine) -> None:
    """Set up each connection that `engine` makes, and begin each of its transactions."""
    event.listen(engine, "connect", _open)
    event.listen(engine, "begin", _begin)


def _open(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL); a commit is on the disk before it returns (FULL); foreign keys hold."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """Take the write lock first where a transaction will write.

    A transaction that reads first and wants to write later fails at once when another has written in between,
    whatever the busy timeout (https://www.sqlite.org/isolation.html).
    """
    options = connection.get_execution_options()
    if BARE in options:
        return
    deadline: Deadline | None = options.get(WRITE_DEADLINE)
    if deadline is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        _take_write_lock(connection, deadline)
    finally:
        patience = int(time_budget.DATABASE_LOCK * 1000)
        connection.connection.execute(f"PRAGMA busy_timeout = {patience}").close()


def _take_write_lock(connection: Connection, deadline: Deadline) -> None:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if not _is_busy(error.orig):
            raise
    else:
        return
    if not _began_in_time(connection.connection, deadline):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for the error to be told as every other


def _began_in_time(driver: Any, deadline: Deadline) -> bool:
    """Look often at first: another process has the lock for about a millisecond, and SQLite would sleep up to 100."""
    often_until = time.monotonic() + _LOOKS_OFTEN_FOR
    while not deadline.expired:
        time.sleep(_LOOK_OFTEN if time.monotonic() < often_until else _LOOK_SELDOM)
        try:
            driver.execute("BEGIN IMMEDIATE").close()
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                return False
        else:
            return True
    return False


def _is_busy(error: Any) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
