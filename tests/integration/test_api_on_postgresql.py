"""What the database does for the API, on a real PostgreSQL."""

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import flask_migrate
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import func, inspect, select, text

from api_service import history, users
from api_service.app import create_app
from api_service.database import DatabaseUnavailableError, db, reading, writing
from api_service.models import HistoryEntry, Role, StockRequestCount
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient
from service_kit import time_budget
from stock_contract import Quote


@pytest.fixture
def other(postgres: str) -> Iterator[psycopg.Connection]:
    """Somebody else on the test's database."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(f"{postgres} dbname={name}", autocommit=True) as connection:
        yield connection


@pytest.fixture
def app(other: psycopg.Connection, stock_client: ScriptedStockClient) -> Iterator[Flask]:
    uri = f"postgresql+psycopg://postgres@/{other.info.dbname}?host={other.info.host}"
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri}), stock_client)
    with app.app_context():
        flask_migrate.upgrade()
        users.add_user("johndoe", "hash", Role.USER)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_the_migration_makes_what_the_models_say_and_can_be_undone(app: Flask) -> None:
    with app.app_context():
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]


def test_every_wait_of_a_request_has_its_limit(app: Flask) -> None:
    with app.app_context(), reading() as connection:
        limits = [
            connection.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout", "timezone")
        ]
    assert limits == ["1s", "1500ms", "UTC"]


def test_a_name_that_is_taken_is_told(app: Flask) -> None:
    with app.app_context(), pytest.raises(users.UserExistsError):
        users.add_user("johndoe", "other", Role.ADMIN)


def test_of_two_super_users_who_deactivate_each_other_one_stays(app: Flask) -> None:
    """Without the row locks both would count two, and both would succeed."""
    start, refused = threading.Barrier(2, timeout=5), []

    def deactivate(name: str) -> None:
        with app.app_context():
            start.wait()
            try:
                users.deactivate_user(name)
            except users.LastAdminError:
                refused.append(name)

    for turn in range(5):
        names = [f"a{turn}", f"b{turn}"]
        with app.app_context():
            for name in names:
                users.add_user(name, "hash", Role.ADMIN)
        threads = [threading.Thread(target=deactivate, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        with app.app_context(), writing() as connection:
            connection.execute(text("UPDATE users SET active = false"))
        refused.clear()


def test_values_come_out_as_they_went_in(app: Flask, apple: Quote) -> None:
    exact = replace(apple, low=Decimal("0.1000000001"), high=Decimal("999999999999.9999999999"), volume=2**63 - 1)
    asked = datetime(2021, 4, 1, 19, 20, 30, 987654, tzinfo=UTC)
    with app.app_context():
        history.save_quotes(1, "r1", asked, [exact])
        with reading() as connection:
            row = connection.execute(select(HistoryEntry.__table__)).mappings().one()
    assert (row["low"], row["high"], row["volume"]) == (exact.low, exact.high, exact.volume)
    assert (row["requested_at"], row["as_of"]) == (asked, apple.as_of)


def test_saving_a_request_again_changes_nothing(app: Flask, api: Api, apple: Quote) -> None:
    with app.app_context():
        for _ in range(2):
            history.save_quotes(1, "same", datetime.now(UTC), [apple, apple])
        assert history.most_requested() == [history.StockCount("aapl.us", 2)]
    assert api.rows(HistoryEntry) == 2


def test_counts_equal_rows_with_batches_at_the_same_time_in_any_order(app: Flask, apple: Quote) -> None:
    batches = ["abc", "cba", "bca", "acb"]

    def write(worker: int) -> None:
        with app.app_context():
            for n in range(20):
                quotes = [replace(apple, symbol=symbol.upper()) for symbol in batches[worker % 4]]
                history.save_quotes(1, f"{worker}-{n}", datetime.now(UTC), quotes)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context(), reading() as connection:
        rows = connection.scalar(select(func.count()).select_from(HistoryEntry))
        times = connection.scalar(select(func.sum(StockRequestCount.times)))
    assert rows == times == 12 * 20 * 3


def test_a_locked_table_at_the_save_is_a_503_within_the_budget(
    api: Api, other: psycopg.Connection, expect_problem: ExpectProblem
) -> None:
    with other.transaction():
        other.execute("LOCK TABLE history IN EXCLUSIVE MODE")
        started = time.monotonic()
        response = api.get("/api/v1/stock", by="johndoe", q="aapl.us")
        assert time.monotonic() - started < time_budget.DATABASE_SAVE
        expect_problem(response, 503, "history-not-saved")
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0
    assert api.get("/api/v1/stock", by="johndoe", q="aapl.us").status_code == 200


def test_connections_that_the_server_has_ended_are_replaced(api: Api, other: psycopg.Connection) -> None:
    token = api.token_of("johndoe")
    other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'api_service'")
    assert api.get("/api/v1/stock", token=token, q="aapl.us").status_code == 200


def test_a_server_that_is_away_is_a_503_everywhere(stock_client: ScriptedStockClient, api: Api) -> None:
    token = api.token_of("johndoe")
    uri = "postgresql+psycopg://postgres@/postgres?host=/nowhere"
    away = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri}), stock_client)
    with away.app_context(), pytest.raises(DatabaseUnavailableError), reading():
        pass
    headers = {"Authorization": f"Bearer {token}"}
    assert away.test_client().get("/api/v1/users/history", headers=headers).status_code == 503
