"""Every wait has its limit, and what cannot be had is a 503."""

import time

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from api_service.app import create_app
from api_service.database import DatabaseUnavailableError, reading
from api_service.models import HistoryEntry, StockRequestCount
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient
from service_kit import time_budget


def test_every_wait_of_a_request_has_its_limit(app: Flask) -> None:
    """Those of a lost transaction too: without a limit its locks would stay until the server learns of the loss."""
    wanted = {
        "lock_timeout": "1s",
        "statement_timeout": "1500ms",
        "idle_in_transaction_session_timeout": "5s",
        "timezone": "UTC",
    }
    with app.app_context(), reading() as connection:
        assert {name: connection.scalar(text(f"SHOW {name}")) for name in wanted} == wanted


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
