"""What callers see when PostgreSQL, or the way to it, fails: the real server behind a proxy with faults."""

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import event, func, select, text
from werkzeug.test import TestResponse

from api_service import history, users
from api_service.app import create_app
from api_service.database import DatabaseUnavailableError, db, reading
from api_service.models import HistoryEntry, IdempotentAnswer, Role, StockRequestCount
from api_service.services import services_of
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient
from scripts.ports import free_ports
from scripts.private_postgres import PrivatePostgres
from service_kit import time_budget
from stock_contract import Quote
from tests.fault_proxy import Direction, FaultProxy

STOCK = "/api/v1/stock?q=aapl.us"
FIFTY = "/api/v1/quotes?symbols=" + ",".join(f"s{n}.us" for n in range(50))
AT_ONCE = 1.0
"""Seconds for an answer that waits for nothing; the machine may be busy."""
SAVE = time_budget.DATABASE_SAVE + time_budget.DATABASE_ROLLBACK + 0.5
"""Seconds for a save that fails, and for what comes before and after it."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server of this module's own, because its tests stop it."""

    postgres: PrivatePostgres
    port: int


@pytest.fixture(scope="module")
def server(postgres: str) -> Iterator[Server]:
    with TemporaryDirectory(prefix="stock-quotes-postgres-") as directory:
        (port,) = free_ports(1)
        server = Server(PrivatePostgres(Path(directory), port), port)
        server.postgres.start()
        yield server
        server.postgres.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def app(server: Server, proxy: FaultProxy, stock_client: ScriptedStockClient) -> Iterator[Flask]:
    app = application(server, proxy, stock_client)
    with app.app_context():
        flask_migrate.upgrade()
        users.add_user("johndoe", services_of(app).passwords.hash("john"), Role.USER)
    yield app
    with app.app_context():
        db.engine.dispose()


def application(server: Server, proxy: FaultProxy, stock_client: ScriptedStockClient, **environment: str) -> Flask:
    """One on a new, empty database, reached through the proxy."""
    name = f"test_{secrets.token_hex(4)}"
    maintenance = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri(server.port, "postgres")}))
    with maintenance.app_context(), db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"CREATE DATABASE {name}")
    with maintenance.app_context():
        db.engine.dispose()
    settings = load({"APP_ENV": "development", "DATABASE_URI": uri(proxy.port, name), **environment})
    return create_app(settings, stock_client)


def uri(port: int, database: str) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{database}"


@pytest.fixture
def token(api: Api) -> str:
    return api.token_of("johndoe")


def ask(api: Api, token: str, path: str = STOCK, key: str | None = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    return api.app.test_client().get(path, headers=headers)


def counted(app: Flask) -> int:
    with app.app_context(), reading() as connection:
        return connection.scalar(select(func.coalesce(func.sum(StockRequestCount.times), 0))) or 0


def events(caplog: pytest.LogCaptureFixture) -> set[tuple[str, int]]:
    return {(record.message, record.levelno) for record in caplog.records if record.message.startswith("db.")}


def during_the_call(stock_client: ScriptedStockClient, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Let `act` happen once, while the stock service is being asked."""
    quotes = stock_client.quotes

    def interrupted(*args: Any, **kwargs: Any) -> Sequence[Any]:
        monkeypatch.undo()
        act()
        return quotes(*args, **kwargs)

    monkeypatch.setattr(stock_client, "quotes", interrupted)


def test_a_database_that_is_away_is_a_503_everywhere_at_once_and_is_used_again_when_it_is_back(
    api: Api, token: str, proxy: FaultProxy, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(api, token).status_code == 200
    with proxy.down():
        for call in (
            lambda: ask(api, token),
            lambda: ask(api, token, "/api/v1/users/history"),
            lambda: ask(api, token, "/api/v1/quotes?symbols=aapl.us"),
            lambda: api.log_in("johndoe", "john"),
        ):
            started = time.monotonic()
            expect_problem(call(), 503, "database-unavailable")
            assert time.monotonic() - started < AT_ONCE
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.log_in("johndoe", "john").status_code == 200
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_restarted_server_costs_only_the_calls_made_meanwhile(
    api: Api, token: str, server: Server, expect_problem: ExpectProblem
) -> None:
    assert ask(api, token).status_code == 200
    server.postgres.stop()
    try:
        expect_problem(ask(api, token), 503, "database-unavailable")
    finally:
        server.postgres.start()
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_connections_that_are_cut_while_nobody_uses_them_are_replaced(
    api: Api,
    token: str,
    proxy: FaultProxy,
    stock_client: ScriptedStockClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ask(api, token).status_code == 200
    proxy.cut()
    assert ask(api, token).status_code == 200
    during_the_call(stock_client, monkeypatch, proxy.cut)
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == 3


@pytest.mark.parametrize("directions", [(), (Direction.DOWN,), (Direction.UP,)], ids=["both", "down", "up"])
def test_a_database_that_swallows_everything_is_a_503_in_time(
    api: Api, token: str, proxy: FaultProxy, expect_problem: ExpectProblem, directions: tuple[Direction, ...]
) -> None:
    """The look at the old connection, and then the attempt to make a new one, end by our own limits."""
    assert ask(api, token).status_code == 200
    with proxy.blackhole(*directions):
        started = time.monotonic()
        expect_problem(ask(api, token), 503, "database-unavailable")
        assert time.monotonic() - started < time_budget.DATABASE_PING + 2 + AT_ONCE
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_database_that_swallows_the_save_is_a_503_in_time(
    api: Api,
    token: str,
    proxy: FaultProxy,
    expect_problem: ExpectProblem,
) -> None:
    with ExitStack() as fault, api.app.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda *args: fault.enter_context(proxy.blackhole()) if "INSERT INTO history" in args[2] else None,
        )
        started = time.monotonic()
        expect_problem(ask(api, token), 503, "history-not-saved")
        assert time.monotonic() - started < SAVE
    assert api.rows(HistoryEntry) == counted(api.app) == 0


@pytest.mark.parametrize("directions", [(), (Direction.DOWN,), (Direction.UP,)], ids=["both", "down", "up"])
def test_a_way_that_is_lost_while_the_stock_service_is_asked_costs_no_more_than_a_save(
    api: Api,
    token: str,
    proxy: FaultProxy,
    stock_client: ScriptedStockClient,
    monkeypatch: pytest.MonkeyPatch,
    expect_problem: ExpectProblem,
    directions: tuple[Direction, ...],
) -> None:
    """So the answer comes in time after any stock service: it has six seconds, and the client is promised nine.

    The look at the old connection and the attempt to make a new one are part of the save.
    """
    assert ask(api, token).status_code == 200
    began: list[float] = []
    with ExitStack() as fault:

        def lose_the_way() -> None:
            fault.enter_context(proxy.blackhole(*directions))
            began.append(time.monotonic())

        during_the_call(stock_client, monkeypatch, lose_the_way)
        expect_problem(ask(api, token), 503, "history-not-saved")
        assert time.monotonic() - began[0] < SAVE
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_batch_of_fifty_is_saved_over_a_slow_way(api: Api, token: str, proxy: FaultProxy) -> None:
    assert ask(api, token).status_code == 200
    with proxy.latency(0.1, Direction.DOWN):
        assert ask(api, token, FIFTY).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 51


def test_a_save_of_answers_that_each_come_in_time_ends_by_its_own_deadline(
    api: Api,
    token: str,
    proxy: FaultProxy,
    stock_client: ScriptedStockClient,
    monkeypatch: pytest.MonkeyPatch,
    expect_problem: ExpectProblem,
) -> None:
    """No single answer takes as long as PostgreSQL or the driver would wait for it."""
    assert ask(api, token).status_code == 200
    with ExitStack() as fault:
        during_the_call(stock_client, monkeypatch, lambda: fault.enter_context(proxy.latency(0.45, Direction.DOWN)))
        started = time.monotonic()
        expect_problem(ask(api, token, FIFTY), 503, "history-not-saved")
        assert time.monotonic() - started < SAVE
    assert ask(api, token).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_database_that_goes_away_before_the_save_leaves_no_row(
    api: Api,
    token: str,
    proxy: FaultProxy,
    stock_client: ScriptedStockClient,
    monkeypatch: pytest.MonkeyPatch,
    expect_problem: ExpectProblem,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ExitStack() as faults:
        during_the_call(stock_client, monkeypatch, lambda: faults.enter_context(proxy.down()))
        expect_problem(ask(api, token), 503, "history-not-saved")
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 0
    assert ask(api, token).status_code == 200


def test_a_connection_lost_in_the_transaction_is_got_over_by_saving_once_more(
    api: Api, token: str, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as fault, api.app.app_context():
        sprung = fault.enter_context(proxy.reset_after(b"INSERT INTO history", Direction.UP))
        event.listen(db.engine, "handle_error", lambda _: fault.close())
        assert ask(api, token).status_code == 200
        assert sprung.is_set()
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 1


def test_a_connection_lost_in_both_transactions_is_a_503_without_a_row(
    api: Api, token: str, proxy: FaultProxy, expect_problem: ExpectProblem
) -> None:
    with proxy.reset_after(b"INSERT INTO history", Direction.UP):
        expect_problem(ask(api, token), 503, "history-not-saved")
    assert api.rows(HistoryEntry) == counted(api.app) == 0
    assert ask(api, token).status_code == 200


@pytest.mark.parametrize("key", [None, "k1"])
def test_a_connection_lost_during_the_commit_is_got_over_by_saving_once_more(
    api: Api, token: str, proxy: FaultProxy, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the first commit took place, only the server knows; the second transaction finds out."""
    with ExitStack() as fault, api.app.app_context():
        sprung = fault.enter_context(proxy.reset_after(b"COMMIT", Direction.UP))
        event.listen(db.engine, "handle_error", lambda _: fault.close())
        response = ask(api, token, key=key)
        assert response.status_code == 200
        assert "Idempotent-Replayed" not in response.headers
        assert sprung.is_set()
    assert events(caplog) == {("db.commit_unknown", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 1


def test_after_a_503_in_doubt_the_same_key_makes_one_row(
    api: Api, token: str, proxy: FaultProxy, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.reset_after(b"COMMIT", Direction.UP):
        expect_problem(ask(api, token, key="k1"), 503, "history-not-saved")
    assert events(caplog) == {("db.commit_unknown", logging.ERROR)}
    assert ask(api, token, key="k1").status_code == 200
    assert api.rows(HistoryEntry) == api.rows(IdempotentAnswer) == counted(api.app) == 1


def test_after_a_commit_in_doubt_the_same_request_makes_one_row(app: Flask, proxy: FaultProxy, apple: Quote) -> None:
    with app.app_context():
        with proxy.reset_after(b"COMMIT", Direction.UP), pytest.raises(DatabaseUnavailableError):
            history.save_quotes(1, "r1", datetime.now(UTC), [apple])
        history.save_quotes(1, "r1", datetime.now(UTC), [apple])
        with reading() as connection:
            assert connection.scalar(select(func.count()).select_from(HistoryEntry)) == 1
    assert counted(app) == 1


def test_a_pool_that_is_used_up_is_said_after_a_second(
    server: Server,
    proxy: FaultProxy,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = application(server, proxy, stock_client, WEB_THREADS="1")  # and so one connection
    with app.app_context():
        flask_migrate.upgrade()
        users.add_user("johndoe", "hash", Role.USER)
    api = Api(app, app.test_client())
    token = api.token_of("johndoe")
    with app.app_context(), db.engine.connect() as busy, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(busy.execute, text("SELECT pg_sleep(1.4)"))
        started = time.monotonic()
        response = ask(api, token)
        waited = time.monotonic() - started
        slow.result(5)
    expect_problem(response, 503, "database-unavailable")
    assert time_budget.DATABASE_LOCK <= waited + 0.05 < time_budget.DATABASE_LOCK + 0.4
    assert ("db.pool_timeout", logging.WARNING) in events(caplog)
    assert ask(api, token).status_code == 200
    with app.app_context():
        db.engine.dispose()
