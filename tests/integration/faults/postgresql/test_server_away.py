"""The server is away, or has ended its connections."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import flask_migrate
import pytest
from sqlalchemy import text

from api_service import users
from api_service.database import db
from api_service.models import HistoryEntry, Role
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient
from service_kit import time_budget
from tests.fault_proxy import FaultProxy
from tests.integration.faults.postgresql.parts import (
    AT_ONCE,
    Ask,
    DuringTheCall,
    Server,
    application,
    asking,
    counted,
    events,
)


def test_a_database_that_is_away_is_a_503_everywhere_at_once_and_is_used_again_when_it_is_back(
    api: Api, ask: Ask, proxy: FaultProxy, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask().status_code == 200
    with proxy.down():
        for call in (
            ask,
            lambda: ask("/api/v1/users/history"),
            lambda: ask("/api/v1/quotes?symbols=aapl.us"),
            lambda: api.log_in("johndoe", "john"),
        ):
            started = time.monotonic()
            expect_problem(call(), 503, "database-unavailable")
            assert time.monotonic() - started < AT_ONCE
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.log_in("johndoe", "john").status_code == 200
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_restarted_server_costs_only_the_calls_made_meanwhile(
    api: Api, ask: Ask, server: Server, expect_problem: ExpectProblem
) -> None:
    assert ask().status_code == 200
    server.postgres.stop()
    try:
        expect_problem(ask(), 503, "database-unavailable")
    finally:
        server.postgres.start()
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_connections_that_are_cut_while_nobody_uses_them_are_replaced(
    api: Api, ask: Ask, proxy: FaultProxy, during_the_call: DuringTheCall
) -> None:
    assert ask().status_code == 200
    proxy.cut()
    assert ask().status_code == 200
    proxy.cut()
    assert api.log_in("johndoe", "john").status_code == 200
    during_the_call(proxy.cut)
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == 3


def test_a_database_that_goes_away_before_the_save_leaves_no_row(
    api: Api,
    ask: Ask,
    proxy: FaultProxy,
    during_the_call: DuringTheCall,
    expect_problem: ExpectProblem,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ExitStack() as faults:
        during_the_call(lambda: faults.enter_context(proxy.down()))
        expect_problem(ask(), 503, "history-not-saved")
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 0
    assert ask().status_code == 200


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
    ask = asking(api)
    with app.app_context(), db.engine.connect() as busy, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(busy.execute, text("SELECT pg_sleep(1.4)"))
        started = time.monotonic()
        response = ask()
        waited = time.monotonic() - started
        slow.result(5)
    expect_problem(response, 503, "database-unavailable")
    assert time_budget.DATABASE_LOCK <= waited + 0.05 < time_budget.DATABASE_LOCK + 0.4
    assert ("db.pool_timeout", logging.WARNING) in events(caplog)
    assert ask().status_code == 200
    with app.app_context():
        db.engine.dispose()
