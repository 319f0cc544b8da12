import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from api_service import audit, users
from api_service.audit import AuditEvent
from api_service.database import DatabaseUnavailableError, writing
from api_service.models import AuditEntry, Role
from api_service.tests.helpers import Api, documented_sql


@pytest.fixture
def table(database_path: Path) -> Iterator[sqlite3.Connection]:
    """The database as somebody sees it who has the file."""
    with closing(sqlite3.connect(database_path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_log SET user_id = NULL",
        "UPDATE audit_log SET event = event WHERE id = 1",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE id = 1",
        "REPLACE INTO audit_log (id, at, event, detail) VALUES (1, '2026-01-01', 'forged', '{}')",
        "INSERT INTO audit_log SELECT * FROM audit_log WHERE id = 1 ON CONFLICT (id) DO UPDATE SET event = 'forged'",
    ],
)
def test_the_database_refuses_to_change_what_is_on_record(table: sqlite3.Connection, change: str) -> None:
    before = table.execute("SELECT * FROM audit_log").fetchall()
    assert before
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        table.execute(change)
    assert table.execute("SELECT * FROM audit_log").fetchall() == before


def test_the_way_to_prune_works_as_documented_and_closes_behind_itself(table: sqlite3.Connection) -> None:
    pruning = documented_sql("SQLite").replace("2026-01-01", "9999-01-01")
    table.executescript(pruning)
    assert table.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
    table.execute("INSERT INTO audit_log (at, event, detail) VALUES ('2026-01-01', 'later', '{}')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        table.execute("DELETE FROM audit_log")


def record_and_fail_to_save(user_id: int) -> None:
    with writing() as connection:
        audit.record(connection, AuditEvent.ROLE_CHANGED, user_id)
        connection.execute(text("no statement"))


def test_what_is_rolled_back_leaves_neither_row_nor_line(
    app: Flask, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = api.rows(AuditEntry)
    with app.app_context(), pytest.raises(DatabaseUnavailableError):
        record_and_fail_to_save(1)
    assert api.rows(AuditEntry) == before
    assert [record for record in caplog.records if record.name == "audit"] == []


def test_the_line_is_written_after_the_commit(app: Flask, api: Api) -> None:
    seen: list[tuple[str, int]] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), api.rows(AuditEntry)))

    watch, stream = Watch(), logging.getLogger("audit")
    stream.addHandler(watch)
    try:
        before = api.rows(AuditEntry)
        with app.app_context(), writing() as connection:
            audit.record(connection, AuditEvent.REFRESH_REUSED, 1)
    finally:
        stream.removeHandler(watch)
    assert seen == [("audit.refresh_reused", before + 1)]


def newest(app: Flask) -> dict[str, Any]:
    with app.app_context():
        (row,) = audit.entries(1)
    return dict(row)


def test_row_and_line_say_the_same(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with app.app_context(), writing() as connection:
        audit.record(connection, AuditEvent.ROLE_CHANGED, 2, role="ADMIN", before=7)
    row = newest(app)
    assert (row["event"], row["user_id"], row["username"]) == ("role_changed", 2, "johndoe")
    assert (row["address"], row["request_id"]) == (None, None)
    assert row["detail"] == '{"role": "ADMIN", "before": 7, "by": "command-line"}'
    (line,) = [record for record in caplog.records if record.name == "audit"]
    assert line.levelname == "INFO"
    assert line.user_id == 2
    assert line.detail == {"role": "ADMIN", "before": 7, "by": "command-line"}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%a\n{}", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("192.0.2.7:41000", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("forged\n", None),
        ("192.0.2.7:port", None),
    ],
)
def test_the_address_is_kept_in_one_spelling_or_not_at_all(
    app: Flask, api: Api, address: str, kept: str | None
) -> None:
    assert api.log_in("johndoe", "john", address).status_code == 200
    assert newest(app)["address"] == kept


def test_every_change_of_an_account_is_recorded_with_it(app: Flask) -> None:
    with app.app_context():
        users.add_user("ann", "hash", Role.ADMIN)
        users.set_password_hash("ann", "other")
        users.deactivate_user("ann")
        rows = audit.entries(3)
    assert [(row["event"], row["username"], row["detail"]) for row in rows] == [
        ("user_deactivated", "ann", '{"by": "command-line"}'),
        ("password_changed", "ann", '{"by": "command-line"}'),
        ("user_added", "ann", '{"role": "ADMIN", "by": "command-line"}'),
    ]


def test_what_was_not_changed_is_not_recorded(app: Flask, api: Api) -> None:
    before = api.rows(AuditEntry)
    with app.app_context():
        for change in (
            lambda: users.add_user("jane", "hash", Role.USER),
            lambda: users.set_password_hash("nobody", "hash"),
            lambda: users.deactivate_user("nobody"),
            lambda: users.deactivate_user("admin"),
        ):
            with pytest.raises(users.UserError):
                change()
    assert api.rows(AuditEntry) == before
