"""The migrations make the tables of the models, one process at a time."""

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import flask_migrate
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import MetaData, PrimaryKeyConstraint, Table, UniqueConstraint, inspect

from api_service.database import db
from api_service.schema import MIGRATION_LOCK_NUMBER
from scripts.services import ROOT
from service_kit import time_budget
from tests.waiting import eventually

SCRIPTS = ScriptDirectory(str(ROOT / "api_service" / "migrations"))
REVISIONS = sorted(script.revision for script in SCRIPTS.walk_revisions())


def test_the_migration_makes_what_the_models_say_and_can_be_undone(app: Flask) -> None:
    with app.app_context():
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]


def test_of_two_migrations_at_once_one_waits_for_the_other(other: psycopg.Connection, uri: str) -> None:
    environ = os.environ | {"APP_ENV": "development", "DATABASE_URI": uri}
    command = [sys.executable, "-m", "flask", "--app", "api_service.wsgi", "db", "upgrade"]
    # Longer than a request would: its limits are not for migrations.
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
        " AND clock_timestamp() - query_start > make_interval(secs => %s)"
    )
    other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK_NUMBER])
    with ExitStack() as processes:
        runs = [
            processes.enter_context(
                subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        for run in runs:
            processes.callback(run.kill)
        eventually(lambda: other.execute(waiting, [time_budget.DATABASE_ANSWER + 0.5]).fetchone() == (2,), within=20.0)
        other.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK_NUMBER])
        logs = [run.communicate(timeout=20)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], logs
    assert sorted("Running upgrade" in log for log in logs) == [False, True]
    assert other.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize(("before", "after"), list(pairwise(REVISIONS)))
def test_the_code_of_the_revision_before_writes_and_reads_on(app: Flask, before: str, after: str) -> None:
    """In an upgrade it runs for a while on the new tables, of which it knows what it knew before."""
    with app.app_context():
        flask_migrate.downgrade(revision=before)
        known = reflected()
        flask_migrate.upgrade(revision=after)
        keys = unique_keys(reflected())
        assert unique_keys(known) <= keys  # an ON CONFLICT names one
        with db.engine.begin() as connection:
            for table in known.sorted_tables:
                connection.execute(table.insert().values(a_row(table)))
                connection.execute(table.select())


def reflected() -> MetaData:
    """The tables as the database has them; alembic's own is written by migrations only."""
    found = MetaData()
    found.reflect(db.engine, only=lambda name, _: name != "alembic_version")
    return found


def unique_keys(known: MetaData) -> set[tuple[str, frozenset[str]]]:
    constraints = [(table.name, each) for table in known.tables.values() for each in table.constraints]
    return {
        (name, frozenset(each.columns.keys()))
        for name, each in constraints
        if isinstance(each, PrimaryKeyConstraint | UniqueConstraint)
    }


def a_row(table: Table) -> dict[str, Any]:
    """A value for each column that is written; the keys refer to nobody but user 1, whom the fixture has made."""
    values = {bool: True, int: 7, float: 7, str: "USER", datetime: datetime.now(UTC), date: datetime.now(UTC).date()}
    written = (column for column in table.columns if column.computed is None)
    return {c.name: 1 if c.foreign_keys else values.get(c.type.python_type, 7) for c in written}
