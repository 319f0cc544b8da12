"""What the tests of this service share: an application on a database of its own, a stock client to script, callers."""

import json
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

import stock_contract
from api_service import clock, services, users
from api_service.app import create_app
from api_service.auth.passwords import Passwords
from api_service.database import db, reading
from api_service.models import Role
from api_service.settings import Settings, load
from api_service.tests.helpers import (
    Action,
    Api,
    CountingHasher,
    ExpectProblem,
    Golden,
    HandSetClock,
    HoldLock,
    MakeApi,
    ScriptedStockClient,
    runner_on,
)
from service_kit import time_budget
from stock_contract import Quote, load_quote

GOLDEN = Path(stock_contract.__file__).parent / "golden"
INTERNALS = (
    "Traceback",
    "sqlalchemy",
    "sqlite",
    "amqp",
    "pika",
    "127.0.0.1",
    "localhost",
    "Error(",
    "Exception",
    ".py",
)


@pytest.fixture(scope="session")
def golden() -> Golden:
    return lambda name: (GOLDEN / f"{name}.json").read_bytes()


@pytest.fixture
def apple(golden: Golden) -> Quote:
    return load_quote(json.loads(golden("quote")))


@pytest.fixture
def stock_client(apple: Quote) -> ScriptedStockClient:
    return ScriptedStockClient(apple)


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database made by the real migration, with admin/admin (super user), johndoe/john and jane/jane."""
    path = tmp_path_factory.mktemp("template") / "api.sqlite3"
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{path}"}))
    with app.app_context():
        flask_migrate.upgrade()
        passwords = services.services().passwords
        for name, password, role in (
            ("admin", "admin", Role.ADMIN),
            ("johndoe", "john", Role.USER),
            ("jane", "jane", Role.USER),
        ):
            users.add_user(name, passwords.hash(password), role)
        db.engine.dispose()
    return path


@pytest.fixture
def database_path(template_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template_database, tmp_path / "api.sqlite3"))


@pytest.fixture
def run(database_path: Path) -> Action:
    return runner_on(database_path)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are run as if somebody sat there."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)


@pytest.fixture
def settings(database_path: Path) -> Settings:
    """The limit of failed log-ins is off: tests fail more of them within a minute than people do."""
    environ = {"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{database_path}", "RATE_LIMIT_LOGIN": "off"}
    return load(environ)


@pytest.fixture
def app(settings: Settings, stock_client: ScriptedStockClient) -> Iterator[Flask]:
    app = create_app(settings, stock_client)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def api(app: Flask) -> Api:
    return Api(app, app.test_client())


@pytest.fixture
def make_api(database_path: Path, stock_client: ScriptedStockClient) -> Iterator[MakeApi]:
    """Make the API with other settings, given as environment variables."""
    apps: list[Flask] = []

    def make(**environ: str) -> Api:
        environ = {"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{database_path}", **environ}
        app = create_app(load(environ), stock_client)
        apps.append(app)
        return Api(app, app.test_client())

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="session")
def expect_problem() -> ExpectProblem:
    """Check that an answer is a problem document of our shape and shows nothing internal; returns its body."""

    def check(response: TestResponse, status: int, slug: str, **extra: Any) -> dict[str, Any]:
        body = response.get_json()
        assert response.status_code == status, body
        assert response.content_type == "application/problem+json"
        assert body.keys() == {"type", "title", "status", "detail", "request_id", *extra}
        assert body["type"] == f"/problems/{slug}"
        assert body["status"] == status
        assert body["request_id"] == response.headers["X-Request-ID"]
        assert body["title"]
        assert body["detail"].endswith(".")
        assert not [word for word in INTERNALS if word in response.text]
        assert (status in {429, 503}) == ("Retry-After" in response.headers)
        if status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        for name, value in extra.items():
            assert body[name] == value
        return dict(body)

    return check


@pytest.fixture
def locked_database(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> HoldLock:
    """Hold the database's write lock from elsewhere; the waits for it are cut short, to spend no seconds on them."""

    @contextmanager
    def hold() -> Iterator[None]:
        monkeypatch.setattr(time_budget, "DATABASE_LOCK", 0.05)
        with closing(sqlite3.connect(database_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    return hold


@pytest.fixture
def hasher(app: Flask, stock_client: ScriptedStockClient) -> CountingHasher:
    """The hasher of the application, as strong as always; it has counted nothing yet."""
    return use_hasher(app, stock_client, CountingHasher())


@pytest.fixture
def quick_hasher(app: Flask, stock_client: ScriptedStockClient) -> CountingHasher:
    """One for tests with many log-ins: the users' passwords have weak hashes."""
    hasher = use_hasher(app, stock_client, CountingHasher(time_cost=1, memory_cost=8))
    with app.app_context():
        for name, password in (("admin", "admin"), ("johndoe", "john"), ("jane", "jane")):
            users.set_password_hash(name, hasher.hash(password))
    hasher.work = 0
    return hasher


def use_hasher(app: Flask, stock_client: ScriptedStockClient, hasher: CountingHasher) -> CountingHasher:
    services.init_app(app, services.Services(stock_client, Passwords(hasher)))
    hasher.work = 0
    return hasher


@pytest.fixture
def hand_set_clock(monkeypatch: pytest.MonkeyPatch) -> HandSetClock:
    hand_set = HandSetClock()
    monkeypatch.setattr(clock, "utc_now", lambda: hand_set.now)
    return hand_set


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """For tests that configure logging: the root logger, set back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = before


@pytest.fixture
def plan_of(app: Flask) -> Iterator[Action]:
    """How SQLite goes about the statements of a function that reads."""
    sent: list[tuple[Any, ...]] = []

    def plan(read: Callable[[], object]) -> str:
        read()
        selects = [(f"EXPLAIN QUERY PLAN {each[0]}", each[1]) for each in sent if each[0].startswith("SELECT")]
        with reading() as connection:
            return str([connection.exec_driver_sql(*select).all() for select in selects])

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        yield plan
