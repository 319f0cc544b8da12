"""A server refuses to serve on tables of an older version, and of two migrations one waits."""

import logging
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask

from api_service.app import create_app
from api_service.database import db
from api_service.schema import require_migrated
from api_service.settings import Settings, load
from api_service.tests.helpers import Action

ROOT = Path(__file__).parents[2]
GUNICORN = ("-m", "gunicorn", "-c", "api_service/gunicorn.conf.py")
FLASK_RUN = ("-m", "flask", "--app", "api_service.wsgi", "run", "--port", "1")
UPGRADE = ("-m", "flask", "--app", "api_service.wsgi", "db", "upgrade")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "started.sqlite3"


@pytest.fixture
def start(database: Path) -> Iterator[Action]:
    """Start a process on `database`; what is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        environ = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        environ |= {
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URI": f"sqlite:///{database}",
            "PORT": "1",
            "LOG_LEVEL": "INFO",
        }
        process = subprocess.Popen([sys.executable, *args], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def log_of(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=25)[1]


@pytest.fixture
def migrated(settings: Settings) -> Iterator[Flask]:
    """An application inside whose context the test runs, on a database with all migrations."""
    app = create_app(settings)
    with app.app_context():
        yield app
        db.engine.dispose()


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    return [(record.message, record.levelno) for record in caplog.records if record.message.startswith("db.")]


@pytest.mark.parametrize("command", [GUNICORN, FLASK_RUN], ids=["gunicorn", "flask run"])
def test_a_server_refuses_tables_of_an_older_version(start: Action, command: tuple[str, ...]) -> None:
    assert start(*UPGRADE).wait(25) == 0
    assert start(*UPGRADE[:-1], "downgrade").wait(25) == 0
    server = start(*command)
    log = log_of(server)
    assert server.returncode == 1, log
    assert log.count("The database lacks migrations: run `python api_service/commands.py migrate` first.") == 1
    assert '"event": "db.schema_mismatch"' in log
    assert '"level": "critical"' in log
    assert "Traceback" not in log


def test_a_database_without_tables_is_refused(start: Action) -> None:
    server = start(*GUNICORN)
    assert "run `python api_service/commands.py migrate` first" in log_of(server)
    assert server.returncode == 1


def test_a_database_with_all_migrations_is_served(migrated: Flask, caplog: pytest.LogCaptureFixture) -> None:
    require_migrated(migrated)
    assert events(caplog) == []


def test_a_database_that_lacks_the_last_migration_is_refused(
    migrated: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    flask_migrate.downgrade()
    with pytest.raises(SystemExit, match="migrate"):
        require_migrated(migrated)
    assert events(caplog) == [("db.schema_mismatch", logging.CRITICAL)]


def test_a_database_that_is_ahead_is_one_in_the_middle_of_an_upgrade_and_is_served(
    migrated: Flask, database_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(database_path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
    require_migrated(migrated)
    assert events(caplog) == [("db.schema_newer", logging.WARNING)]


def test_a_database_that_is_away_keeps_no_server_from_starting(caplog: pytest.LogCaptureFixture) -> None:
    uri = "postgresql+psycopg://postgres@127.0.0.1:1/postgres"
    require_migrated(create_app(load({"APP_ENV": "development", "DATABASE_URI": uri})))
    assert events(caplog) == [("db.unavailable", logging.ERROR)]


def test_of_two_migrations_at_once_one_waits_for_the_other(start: Action, database: Path) -> None:
    """Both find the database taken, and wait; then both find it free."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        runs = [start(*UPGRADE) for _ in range(2)]
        end = time.monotonic() + 20
        while not all(has_open(run.pid, database) for run in runs):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert [run.poll() for run in runs] == [None, None]
        other.execute("ROLLBACK")
    logs = [log_of(run) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], logs
    assert sorted("Running upgrade" in log for log in logs) == [False, True]
    with closing(sqlite3.connect(database)) as connection:
        assert len(connection.execute("SELECT version_num FROM alembic_version").fetchall()) == 1


def has_open(pid: int, file: Path) -> bool:
    """Whether the process works on this database already."""
    links = (Path("/proc") / str(pid) / "fd").iterdir()
    return any(link.readlink() == file for link in list(links) if link.is_symlink())
