"""What callers see when SQLite cannot save: locked, full, read-only; and that nothing is left of it afterwards."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.exc import InterfaceError, OperationalError

from api_service.app import create_app
from api_service.database import DatabaseUnavailableError, db, reading, written
from api_service.database_troubles import Trouble, trouble_of
from api_service.models import HistoryEntry, StockRequestCount
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient
from service_kit import time_budget

STOCK = "/api/v1/stock"
HISTORY = "/api/v1/users/history"


@pytest.fixture
def other(database_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else on the same file."""
    with closing(sqlite3.connect(database_path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def events(caplog: pytest.LogCaptureFixture) -> set[tuple[str, int]]:
    return {(record.message, record.levelno) for record in caplog.records if record.message.startswith("db.")}


def check_counts(api: Api, rows: int) -> None:
    with api.app.app_context(), reading() as connection:
        times = connection.scalar(select(func.coalesce(func.sum(StockRequestCount.times), 0)))
    assert api.rows(HistoryEntry) == times == rows


def test_a_lock_that_lasts_is_a_503_within_the_budget_and_the_next_call_is_fine(
    api: Api, other: sqlite3.Connection, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    token = api.token_of("johndoe")
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    response = api.get(STOCK, token=token, q="aapl.us")
    waited = time.monotonic() - started
    other.execute("ROLLBACK")
    expect_problem(response, 503, "history-not-saved")
    assert time_budget.DATABASE_LOCK < waited < time_budget.DATABASE_SAVE + 0.2
    assert [(record.message, record.levelno) for record in caplog.records if record.message.startswith("db.")] == [
        ("db.locked", logging.ERROR),
        ("db.locked", logging.ERROR),
    ]
    assert api.get(STOCK, token=token, q="aapl.us").status_code == 200
    check_counts(api, 1)


def test_a_lock_that_ends_after_the_first_try_costs_nobody_an_answer(
    api: Api, other: sqlite3.Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "DATABASE_LOCK", 0.2)
    other.execute("BEGIN IMMEDIATE")

    class Release(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == "db.locked":
                other.execute("ROLLBACK")

    handler = Release()
    logging.getLogger("api_service.database").addHandler(handler)
    try:
        assert api.get(STOCK, by="johndoe", q="aapl.us").status_code == 200
    finally:
        logging.getLogger("api_service.database").removeHandler(handler)
    assert events(caplog) == {("db.locked", logging.ERROR)}
    check_counts(api, 1)


def test_a_transaction_is_repeated_once_and_as_a_whole(app: Flask) -> None:
    tries = []

    def work(connection: Any) -> None:
        tries.append(connection.scalar(select(func.count()).select_from(HistoryEntry)))
        raise DatabaseUnavailableError(passing=len(tries) < 5)

    with app.app_context(), pytest.raises(DatabaseUnavailableError):
        written(work)
    assert tries == [0, 0]


def test_what_will_not_pass_is_not_tried_again(app: Flask) -> None:
    tries = []

    def work(_: Any) -> None:
        tries.append(1)
        raise DatabaseUnavailableError

    with app.app_context(), pytest.raises(DatabaseUnavailableError):
        written(work)
    assert tries == [1]


def test_a_full_disk_is_a_503_and_reading_goes_on(
    app: Flask,
    api: Api,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    caplog: pytest.LogCaptureFixture,
    database_path: Path,
) -> None:
    """The file may grow by two pages; then SQLite says what it says when the disk is full."""
    token = api.token_of("johndoe")
    stock_client.quote = replace(stock_client.quote, name="n" * 200)

    def no_room(connection: sqlite3.Connection, *_: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with app.app_context():
        event.listen(db.engine, "connect", no_room)
        db.engine.dispose()
    saved = 0
    while (response := api.get(STOCK, token=token, q="aapl.us")).status_code == 200:
        saved += 1
        assert saved < 200
    expect_problem(response, 503, "history-not-saved")
    assert saved > 0
    assert events(caplog) == {("db.full", logging.CRITICAL)}
    check_counts(api, saved)
    assert len(api.get(HISTORY, token=token).get_json()) == saved
    with app.app_context():
        event.remove(db.engine, "connect", no_room)
        db.engine.dispose()
    assert api.get(STOCK, token=token, q="aapl.us").status_code == 200
    check_counts(api, saved + 1)
    with closing(sqlite3.connect(database_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_read_only_file_is_a_503_for_quotes_and_the_history_can_be_read(
    api: Api,
    database_path: Path,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = api.token_of("johndoe")
    assert api.get(STOCK, token=token, q="aapl.us").status_code == 200
    uri = f"sqlite:///file:{database_path}?mode=ro&uri=true"
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri}), stock_client)
    read_only = Api(app, app.test_client())
    expect_problem(read_only.get(STOCK, token=token, q="aapl.us"), 503, "history-not-saved")
    assert events(caplog) == {("db.readonly", logging.CRITICAL)}
    assert len(read_only.get(HISTORY, token=token).get_json()) == 1
    check_counts(api, 1)
    with app.app_context():
        db.engine.dispose()


def test_a_file_that_cannot_be_opened_is_an_absent_database(
    tmp_path: Path, api: Api, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    token = api.token_of("johndoe")
    app = create_app(
        load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{tmp_path}/no/such/folder"}),
    )
    expect_problem(Api(app, app.test_client()).get(HISTORY, token=token), 503, "database-unavailable")
    assert events(caplog) == {("db.unavailable", logging.ERROR)}


def test_many_writers_in_two_connections_lose_nothing(api: Api, other: sqlite3.Connection) -> None:
    """The transaction reads before it writes; two of them would fail at once, had they not taken the lock first."""
    token, statuses = api.token_of("johndoe"), []
    stop = threading.Event()

    def disturb() -> None:
        while not stop.wait(0.001):
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE users SET active = active")
            other.execute("COMMIT")

    other.execute("PRAGMA busy_timeout = 5000")
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        statuses = [api.get(STOCK, token=token, q="aapl.us").status_code for _ in range(30)]
    finally:
        stop.set()
        thread.join()
    assert set(statuses) == {200}
    check_counts(api, 30)


class _DriverError(Exception):
    def __init__(self, **attributes: str) -> None:
        super().__init__("text with values")
        vars(self).update(attributes)


@pytest.mark.parametrize(
    ("attributes", "lost", "event_name", "passing"),
    [
        ({"sqlite_errorname": "SQLITE_BUSY"}, False, "db.locked", True),
        ({"sqlite_errorname": "SQLITE_BUSY_SNAPSHOT"}, False, "db.locked", True),
        ({"sqlite_errorname": "SQLITE_FULL"}, False, "db.full", False),
        ({"sqlite_errorname": "SQLITE_READONLY_DBMOVED"}, False, "db.readonly", False),
        ({"sqlite_errorname": "SQLITE_CANTOPEN"}, False, "db.unavailable", False),
        ({"sqlite_errorname": "SQLITE_IOERR_FSYNC"}, False, "db.failed", False),
        ({"sqlstate": "55P03"}, False, "db.locked", True),
        ({"sqlstate": "40P01"}, False, "db.locked", True),
        ({"sqlstate": "53100"}, False, "db.full", False),
        ({"sqlstate": "25006"}, False, "db.readonly", False),
        ({"sqlstate": "57P01"}, True, "db.unavailable", True),
        ({"sqlstate": "57P03"}, False, "db.unavailable", True),
        ({"sqlstate": "57014"}, False, "db.failed", False),
        ({"sqlstate": "23505"}, False, "db.failed", False),
        ({}, True, "db.unavailable", True),
        ({}, False, "db.unavailable", False),
    ],
)
def test_each_trouble_has_its_cause(attributes: dict[str, str], lost: bool, event_name: str, passing: bool) -> None:  # noqa: FBT001
    error = OperationalError("statement", {}, _DriverError(**attributes), connection_invalidated=lost)
    trouble: Trouble = trouble_of(error, in_commit=False)
    assert (trouble.event, trouble.passing) == (event_name, passing)
    if lost:
        assert trouble_of(error, in_commit=True).event == "db.commit_unknown"


def test_a_misuse_of_the_driver_is_no_outage() -> None:
    assert trouble_of(InterfaceError("statement", {}, _DriverError()), in_commit=False).event == "db.failed"
