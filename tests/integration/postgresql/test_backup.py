"""docs/operations.md tells how to back up and restore: its commands are run here, as they stand there."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from flask import Flask

from api_service import history
from api_service.database import db
from api_service.models import HistoryEntry
from api_service.schema import check_migrated
from api_service.tests.helpers import Api
from scripts.private_postgres import find_program
from scripts.services import ROOT
from stock_contract import Quote


def documented(program: str, database: psycopg.Connection) -> list[str | Path]:
    """The command of that page, with its user and database exchanged for those of the test."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"exec -T db {program} (.*?) [<>] stock\.dump$", page, re.MULTILINE)
    server = find_program("initdb")
    assert server
    options = command.replace("-U stock", "-U postgres").replace("=stock", f"={database.info.dbname}").split()
    return [server.with_name(program), "-h", database.info.host, *options]


def test_after_the_tables_are_lost_the_restored_database_has_the_history(
    app: Flask, api: Api, apple: Quote, other: psycopg.Connection, tmp_path: Path
) -> None:
    with app.app_context():
        history.save_quotes(1, "kept", datetime.now(UTC), [apple])
    dump = tmp_path / "stock.dump"
    with dump.open("wb") as out:
        subprocess.run(documented("pg_dump", other), stdout=out, check=True)
    with app.app_context():
        history.save_quotes(1, "later", datetime.now(UTC), [apple])
        db.engine.dispose()  # the API is stopped
    other.execute("DROP TABLE history, alembic_version")
    with dump.open("rb") as stored:
        subprocess.run(documented("pg_restore", other), stdin=stored, check=True)
    assert other.execute("SELECT request_id FROM history").fetchall() == [("kept",)]
    with app.app_context():
        check_migrated()
        history.save_quotes(1, "after", datetime.now(UTC), [apple])  # numbers go on where they were
    assert api.rows(HistoryEntry) == 2
