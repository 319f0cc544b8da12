"""What the database does for the API, on a real PostgreSQL."""

import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import flask_migrate
import jwt
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import func, insert, inspect, select, text
from werkzeug.test import TestResponse

from api_service import audit, history, idempotency, users
from api_service.app import create_app
from api_service.auth import throttle
from api_service.auth.throttle import Attempt, TooManyAttemptsError
from api_service.database import DatabaseUnavailableError, db, reading, writing
from api_service.models import HistoryEntry, IdempotentAnswer, LoginThrottle, RevokedToken, Role, StockRequestCount
from api_service.schema import MIGRATION_LOCK_NUMBER
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, ScriptedStockClient, documented_sql
from scripts.services import ROOT
from service_kit import time_budget
from service_kit.deadline import Deadline
from stock_contract import Quote
from tests.waiting import eventually


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
    """Those of a lost transaction too: without a limit its locks would stay until the server learns of the loss."""
    wanted = {
        "lock_timeout": "1s",
        "statement_timeout": "1500ms",
        "idle_in_transaction_session_timeout": "5s",
        "timezone": "UTC",
    }
    with app.app_context(), reading() as connection:
        assert {name: connection.scalar(text(f"SHOW {name}")) for name in wanted} == wanted


def test_a_name_that_is_taken_is_told(app: Flask) -> None:
    with app.app_context(), pytest.raises(users.UserExistsError):
        users.add_user("johndoe", "other", Role.ADMIN)


@pytest.mark.parametrize(
    "take", [users.deactivate_user, lambda name: users.set_role(name, Role.USER)], ids=["access", "role"]
)
def test_of_two_super_users_who_end_each_others_rights_one_stays(app: Flask, take: Callable[[str], None]) -> None:
    """Without the row locks both would count two, and both would succeed."""
    start, refused = threading.Barrier(2, timeout=5), []

    def end_rights_of(name: str) -> None:
        with app.app_context():
            start.wait()
            try:
                take(name)
            except users.LastAdminError:
                refused.append(name)

    for turn in range(5):
        names = [f"a{turn}", f"b{turn}"]
        with app.app_context():
            for name in names:
                users.add_user(name, "hash", Role.ADMIN)
        threads = [threading.Thread(target=end_rights_of, args=(name,)) for name in names]
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


def test_of_many_uses_of_a_refresh_token_at_the_same_time_exactly_one_wins(app: Flask, api: Api) -> None:
    """The others wait for its commit, and then find the token used; entries to purge keep nobody waiting."""
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with app.app_context(), writing() as connection:
        connection.execute(insert(RevokedToken), [{"id": f"old-{n}", "expires_at": long_ago} for n in range(1000)])
    for _ in range(5):
        pair, start, statuses = api.pair_of("johndoe"), threading.Barrier(6, timeout=5), []

        def use(
            token: str = pair.refresh_token, start: threading.Barrier = start, statuses: list[int] = statuses
        ) -> None:
            client = app.test_client()
            start.wait()
            answer = client.post("/api/v1/refresh", headers={"Authorization": f"Bearer {token}"})
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(statuses) == {200: 1, 401: 5}
        assert api.get("/api/v1/users/history", token=pair.token).status_code == 401


def test_expired_entries_are_purged(app: Flask, api: Api) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with app.app_context(), writing() as connection:
        connection.execute(insert(RevokedToken), [{"id": f"old-{n}", "expires_at": long_ago} for n in range(150)])
    for left in (51, 2):
        assert api.post("/api/v1/logout", token=api.token_of("johndoe")).status_code == 204
        assert api.rows(RevokedToken) == left


def test_a_token_with_numbers_beyond_the_columns_is_refused_and_no_outage(app: Flask, api: Api) -> None:
    claims = jwt.decode(api.token_of("johndoe"), options={"verify_signature": False})
    for wrong in ({"tv": 2**31}, {"sub": str(2**31)}, {"sub": "9" * 10}):
        token = jwt.encode(claims | wrong, app.config["JWT_SECRET_KEY"])
        assert api.get("/api/v1/users/history", token=token).status_code == 401
    for largest in ({"tv": 2**31 - 1}, {"sub": str(2**31 - 1)}):
        token = jwt.encode(claims | largest, app.config["JWT_SECRET_KEY"])
        assert api.get("/api/v1/users/history", token=token).status_code == 401


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


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_log SET user_id = NULL",
        "DELETE FROM audit_log WHERE id = 1",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET event = 'forged'",
        "WITH gone AS (DELETE FROM audit_log RETURNING *) SELECT * FROM gone",
    ],
)
def test_the_database_refuses_to_change_what_is_on_record(app: Flask, other: psycopg.Connection, change: str) -> None:
    before = other.execute("SELECT * FROM audit_log").fetchall()
    assert before
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        other.execute(change)
    assert other.execute("SELECT * FROM audit_log").fetchall() == before


def test_the_audit_log_is_pruned_as_documented(app: Flask, other: psycopg.Connection) -> None:
    other.execute(documented_sql("PostgreSQL").replace("2026-01-01", "9999-01-01"))
    assert other.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
    with app.app_context():
        users.set_password_hash("johndoe", "other")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        other.execute("DELETE FROM audit_log")


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

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [1] * 11
    with app.app_context():
        events = [row["event"] for row in audit.entries(100)]
    assert events == ["login_throttled", "user_added"]


def test_the_audit_log_is_read_by_pages_with_any_numbers_that_are_allowed(app: Flask, api: Api) -> None:
    with app.app_context():
        users.add_user("admin", "hash", Role.ADMIN)
    largest = {"before": 10**18 - 1, "user_id": 2**31 - 1, "limit": 1000}
    assert api.get("/api/v1/audit", by="admin", **largest).get_json() == []
    response = api.get("/api/v1/audit", by="admin", limit=2)
    assert [entry["event"] for entry in response.get_json()] == ["admin_read", "user_added"]
    following = api.get(response.headers["Link"].split(">")[0][1:], by="admin")
    assert [entry["username"] for entry in following.get_json()] == ["johndoe"]


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

    thread = threading.Thread(target=succeed)
    with other.transaction():
        other.execute("SELECT * FROM login_throttle WHERE account_key = '' FOR UPDATE")
        thread.start()
        deadline = Deadline.after(0.9)  # then it gives up
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while other.execute(waiting).fetchone() == (0,):
            assert not deadline.expired
        other.execute("SELECT * FROM login_throttle WHERE account_key <> '' FOR UPDATE NOWAIT")
    thread.join()
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


def test_two_calls_at_once_with_one_key_get_one_answer_and_one_row(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All find the key free and have a quote, each another one, before any of them saves."""
    callers = 4
    all_asked, prices = threading.Barrier(callers, timeout=10), iter(range(1, 100))

    def quotes(symbols: object, **_: object) -> tuple[Quote]:
        all_asked.wait()
        return (replace(apple, close=Decimal(next(prices))),)

    monkeypatch.setattr(stock_client, "quotes", quotes)
    for turn in range(5):
        headers = {"Authorization": f"Bearer {api.token_of('johndoe')}", "Idempotency-Key": f"k{turn}"}

        def ask(_: int, headers: dict[str, str] = headers) -> TestResponse:
            return api.app.test_client().get("/api/v1/stock?q=aapl.us", headers=headers)

        with ThreadPoolExecutor(callers) as pool:
            answers = list(pool.map(ask, range(callers)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.get_data() for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == callers - 1
        assert api.rows(HistoryEntry) == api.rows(IdempotentAnswer) == turn + 1


def test_keys_whose_time_is_over_are_forgotten_and_may_be_used_again(app: Flask, api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token_of('johndoe')}"}
    for number in range(3):
        api.client.get("/api/v1/stock?q=aapl.us", headers=headers | {"Idempotency-Key": f"k{number}"})
    with app.app_context(), writing() as connection:
        old = datetime.now(UTC) - idempotency.LIFETIME - timedelta(seconds=1)
        connection.execute(IdempotentAnswer.__table__.update().values(answered_at=old))
    response = api.client.get("/api/v1/stock?q=msft.us", headers=headers | {"Idempotency-Key": "k1"})
    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response.headers
    assert api.rows(IdempotentAnswer) == 1


def test_of_two_migrations_at_once_one_waits_for_the_other(other: psycopg.Connection) -> None:
    uri = f"postgresql+psycopg://postgres@/{other.info.dbname}?host={other.info.host}"
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
