"""Guesses of a password are counted together, and their locks are taken in one order."""

import threading

import psycopg
import pytest
from flask import Flask

from api_service import audit
from api_service.auth import throttle
from api_service.auth.throttle import Attempt, TooManyAttemptsError
from api_service.database import writing
from api_service.models import LoginThrottle
from api_service.tests.helpers import Api
from tests.callers import callers
from tests.waiting import SOON, eventually


@pytest.mark.usefixtures("hand_set_clock")
def test_guesses_at_the_same_time_in_many_processes_share_five_free_tries(app: Flask, api: Api) -> None:
    """What keeps the turns of one process is left out here: only the database stands between them."""
    start, refused = threading.Barrier(16, timeout=5), []

    def guess() -> None:
        with app.test_request_context():
            start.wait()
            try:
                throttle._begin("johndoe", 1)
            except TooManyAttemptsError as error:
                refused.append(error.retry_after)

    with callers(16) as pool:
        list(pool.map(lambda _: guess(), range(16)))
    assert refused == [1] * 11
    with app.app_context():
        events = [row["event"] for row in audit.entries(100)]
    assert events == ["login_throttled", "user_added"]


@pytest.fixture
def attempt(app: Flask) -> Attempt:
    """A log-in that has begun."""
    with app.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}):
        return throttle._begin("johndoe", 1)


def test_success_locks_in_the_order_of_the_beginning(app: Flask, other: psycopg.Connection, attempt: Attempt) -> None:
    """Were the account's row taken first, then two log-ins with one account could wait for each other."""

    def succeed() -> None:
        with app.app_context(), writing() as connection:
            attempt.succeeded(connection)

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with callers() as pool:
        with other.transaction():
            other.execute("SELECT * FROM login_throttle WHERE account_key = '' FOR UPDATE")
            success = pool.submit(succeed)
            eventually(lambda: other.execute(waiting).fetchone() != (0,), within=0.9)  # then it gives up
            other.execute("SELECT * FROM login_throttle WHERE account_key <> '' FOR UPDATE NOWAIT")
        success.result(SOON)
    assert other.execute("SELECT count(*), sum(failures) FROM login_throttle").fetchone() == (1, 0)


def test_purging_waits_for_nobody(api: Api, other: psycopg.Connection, attempt: Attempt) -> None:
    with other.transaction():
        other.execute("UPDATE login_throttle SET waits_until = '2026-01-01'")
        assert api.log_in("nobody", "wrong", "192.0.2.2").status_code == 401
    with other.transaction():
        other.execute("SELECT * FROM login_throttle WHERE address = '192.0.2.1' FOR UPDATE")
        assert api.log_in("nobody", "wrong", "192.0.2.2").status_code == 401
        assert api.rows(LoginThrottle) == 4
    assert api.log_in("nobody", "wrong", "192.0.2.2").status_code == 401
    assert api.rows(LoginThrottle) == 2
