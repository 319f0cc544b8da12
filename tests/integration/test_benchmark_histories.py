"""What the benchmarks do to a PostgreSQL leaves it as the service makes it."""

import secrets

import flask_migrate
import psycopg
import pytest

from api_service import users
from api_service.app import create_app
from api_service.database import db
from api_service.models import Role
from api_service.settings import load
from benchmarks.growth.fill import fill_postgres

ROWS = 2000
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'history' ORDER BY 1"
CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'history'::regclass ORDER BY 1"
)


@pytest.fixture
def prepared(postgres: str) -> str:
    """An empty database with the tables and johndoe."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        host = connection.info.host
    uri = f"postgresql+psycopg://postgres@/{name}?host={host}"
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri}))
    with app.app_context():
        flask_migrate.upgrade()
        users.add_user("johndoe", "hash", Role.USER)
        db.engine.dispose()
    return f"{postgres} dbname={name}"


def test_a_filled_history_has_its_indexes_and_exact_counts(prepared: str) -> None:
    with psycopg.connect(prepared, autocommit=True) as connection:
        before = [connection.execute(query).fetchall() for query in (INDEXES, CONSTRAINTS)]
        middle = fill_postgres(prepared, ROWS)
        assert [connection.execute(query).fetchall() for query in (INDEXES, CONSTRAINTS)] == before
        saved = dict(connection.execute("SELECT lower(symbol), count(*) FROM history GROUP BY 1").fetchall())
        counted = dict(connection.execute("SELECT symbol, sum(times) FROM stock_request_counts GROUP BY 1").fetchall())
        below = connection.execute("SELECT count(*) FROM history WHERE id < %s AND user_id = 1", [middle]).fetchone()
        own = connection.execute("SELECT count(*) FROM history WHERE user_id = 1").fetchone()
        following = connection.execute("SELECT nextval(pg_get_serial_sequence('history', 'id'))").fetchone()
    assert sum(saved.values()) == ROWS
    assert counted == saved
    assert below
    assert own
    assert below[0] == own[0] // 2
    assert following == (ROWS + 1,)
