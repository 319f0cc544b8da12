"""What the tests of this service share: an application on a database of its own, a stock client to script, callers."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from werkzeug.test import TestResponse

import stock_contract
from api_service import services, users
from api_service.app import create_app
from api_service.database import db
from api_service.models import Role
from api_service.settings import Settings, load
from api_service.tests.helpers import Api, ExpectProblem, Golden, HoldLock, ScriptedStockClient
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
def settings(database_path: Path) -> Settings:
    return load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{database_path}"})


@pytest.fixture
def app(settings: Settings, stock_client: ScriptedStockClient) -> Iterator[Flask]:
    app = create_app(settings, stock_client)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def api(app: Flask) -> Api:
    return Api(app, app.test_client())


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
        assert (status == 503) == ("Retry-After" in response.headers)
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
