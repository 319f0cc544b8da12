import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from api_service import database, users
from api_service.app import create_app
from api_service.auth import tokens
from api_service.database import DatabaseUnavailableError, db, reading, writing
from api_service.models import Role, User
from api_service.settings import Settings, load
from api_service.tests.helpers import ExpectProblem, ScriptedStockClient
from service_kit import time_budget


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """What the driver is asked to do from here on."""
    seen: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        yield seen


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1000)],
)
def test_every_sqlite_connection_is_set_up(app: Flask, pragma: str, value: Any) -> None:
    with app.app_context():
        for connections in range(1, 4):
            held = [db.engine.connect() for _ in range(connections)]
            try:
                assert {connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for connection in held} == {value}
            finally:
                for connection in held:
                    connection.close()


def test_reading_begins_plainly_and_writing_takes_the_lock_first(statements: list[str]) -> None:
    with reading() as connection:
        connection.execute(select(User.id))
    assert statements[0] == "BEGIN"
    statements.clear()
    with writing() as connection:
        connection.execute(select(User.id))
    assert statements[0].startswith("PRAGMA busy_timeout = ")
    assert statements[1] == "BEGIN IMMEDIATE"
    statements.clear()
    with reading() as connection:
        connection.execute(select(User.id))
    assert statements[0] == "BEGIN"


def test_the_driver_opens_no_transaction_of_its_own(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver.isolation_level is None
        assert not driver.in_transaction
        connection.execute(text("SELECT 1"))
        assert driver.in_transaction
        connection.rollback()
        assert not driver.in_transaction


def test_a_reader_sees_one_state_although_others_commit(app: Flask) -> None:
    with app.app_context(), reading() as connection:
        before = connection.execute(select(User.username)).all()
        users.add_user("late", "hash", Role.USER)
        assert connection.execute(select(User.username)).all() == before


def test_a_transaction_that_reads_and_then_writes_survives_another_writer(app: Flask, database_path: Path) -> None:
    """It would end at once with SQLITE_BUSY_SNAPSHOT, had it not taken the lock before it read."""
    with app.app_context(), writing() as connection:
        connection.execute(select(User.id)).all()
        with (
            closing(sqlite3.connect(database_path, timeout=0, isolation_level=None)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("UPDATE users SET active = 0")
        connection.execute(text("UPDATE users SET active = 1"))


def test_an_error_inside_rolls_everything_back(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(ZeroDivisionError), writing() as connection:
            _ = connection.execute(text("UPDATE users SET active = 0")).rowcount / 0
        with reading() as connection:
            assert set(connection.scalars(select(User.active))) == {True}


def test_writers_of_one_process_queue_instead_of_fighting(app: Flask) -> None:
    """All of them together take longer than the busy time-out, and yet none of them fails."""
    failed = []

    def write() -> None:
        try:
            with app.app_context(), writing():
                time.sleep(0.02)
        except DatabaseUnavailableError as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_writer_gives_up_its_place_in_the_queue_in_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time_budget, "DATABASE_LOCK", 0.05)
    with app.app_context(), writing():
        outcome = []

        def write() -> None:
            with app.app_context():
                try:
                    with writing():
                        pass
                except DatabaseUnavailableError as error:
                    outcome.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(outcome) == 1
    assert "db.write_queue_timeout" in caplog.messages


def test_a_locked_database_is_waited_for_within_the_budget(app: Flask, database_path: Path) -> None:
    with closing(sqlite3.connect(database_path, isolation_level=None)) as other, app.app_context():
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError), writing():
            pass
        waited = time.monotonic() - started
        other.execute("ROLLBACK")
        with writing():
            pass
    assert waited + 0.05 >= time_budget.DATABASE_LOCK
    assert waited < time_budget.DATABASE_SAVE


def test_an_empty_pool_is_waited_for_and_then_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time_budget, "DATABASE_LOCK", 0.05)
    app = create_app(settings)
    with app.app_context():
        held = [db.engine.connect() for _ in range(settings.database_connections)]
        with pytest.raises(DatabaseUnavailableError), reading():
            pass
        for connection in held:
            connection.close()
        with reading():
            pass
        db.engine.dispose()
    assert "db.pool_timeout" in caplog.messages


def test_a_missing_table_is_a_503_everywhere(
    tmp_path: Path, stock_client: ScriptedStockClient, expect_problem: ExpectProblem
) -> None:
    app = create_app(
        load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{tmp_path}/empty.sqlite3"}), stock_client
    )
    with app.app_context():
        headers = {"Authorization": f"Bearer {tokens.issue(1, 0).token}"}
    client = app.test_client()
    expect_problem(client.post("/api/v1/login", json={"username": "a", "password": "b"}), 503, "database-unavailable")
    for path in ("/api/v1/users/history", "/api/v1/stats", "/api/v1/stock?q=a", "/api/v1/quotes?symbols=a"):
        expect_problem(client.get(path, headers=headers), 503, "database-unavailable")
    with app.app_context():
        db.engine.dispose()


def test_values_stay_out_of_the_log(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context(), pytest.raises(DatabaseUnavailableError) as caught, writing() as connection:
        connection.execute(text("INSERT INTO users (username) VALUES (:name)"), {"name": "secret-canary"})
    assert "secret-canary" not in f"{caught.value!r} {caught.value.__cause__} {caplog.text}"
    (record,) = caplog.records
    assert (record.message, record.error, record.code) == ("db.failed", "IntegrityError", "SQLITE_CONSTRAINT_NOTNULL")


def test_postgresql_gets_limits_for_every_wait() -> None:
    options = database._engine_options("postgresql+psycopg://user@host/name", 7)
    assert (options["pool_size"], options["max_overflow"], options["pool_timeout"]) == (7, 0, 1)
    assert options["connect_args"]["connect_timeout"] == 2
    assert "-c lock_timeout=1000 -c statement_timeout=1500" in options["connect_args"]["options"]
