"""An application that reaches its database through a proxy with faults: how to ask it, and what it has counted."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from api_service.app import create_app
from api_service.database import db, reading
from api_service.models import StockRequestCount
from api_service.settings import load
from api_service.tests.helpers import Api, ScriptedStockClient
from scripts.private_postgres import PrivatePostgres
from service_kit import time_budget
from tests.fault_proxy import FaultProxy

STOCK = "/api/v1/stock?q=aapl.us"
FIFTY = "/api/v1/quotes?symbols=" + ",".join(f"s{n}.us" for n in range(50))
AT_ONCE = 1.0
"""Seconds for an answer that waits for nothing; the machine may be busy."""
SAVE = time_budget.DATABASE_SAVE + time_budget.DATABASE_ROLLBACK + 0.5
"""Seconds for a save that fails, and for what comes before and after it."""

DuringTheCall = Callable[[Callable[[], object]], None]
"""Lets something happen once, while the stock service is being asked."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server for these tests alone, because they stop it."""

    postgres: PrivatePostgres
    port: int


class Ask(Protocol):
    def __call__(self, path: str = STOCK, key: str | None = None) -> TestResponse: ...


def application(server: Server, proxy: FaultProxy, stock_client: ScriptedStockClient, **environment: str) -> Flask:
    """One on a new, empty database, reached through the proxy."""
    name = f"test_{secrets.token_hex(4)}"
    maintenance = create_app(load({"APP_ENV": "development", "DATABASE_URI": _uri(server.port, "postgres")}))
    with maintenance.app_context(), db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"CREATE DATABASE {name}")
    with maintenance.app_context():
        db.engine.dispose()
    settings = load({"APP_ENV": "development", "DATABASE_URI": _uri(proxy.port, name), **environment})
    return create_app(settings, stock_client)


def _uri(port: int, database: str) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{database}"


def asking(api: Api) -> Ask:
    """Log johndoe in, and ask with his token."""
    token = api.token_of("johndoe")

    def ask(path: str = STOCK, key: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        return api.app.test_client().get(path, headers=headers)

    return ask


def counted(app: Flask) -> int:
    with app.app_context(), reading() as connection:
        return connection.scalar(select(func.coalesce(func.sum(StockRequestCount.times), 0))) or 0


def events(caplog: pytest.LogCaptureFixture) -> set[tuple[str, int]]:
    return {(record.message, record.levelno) for record in caplog.records if record.message.startswith("db.")}
