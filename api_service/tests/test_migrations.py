import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect

from api_service import users
from api_service.app import create_app
from api_service.database import db
from api_service.models import Role
from api_service.services import services_of
from api_service.settings import load
from api_service.tests.helpers import Api

TABLES = {
    "users",
    "revoked_tokens",
    "history",
    "stock_request_counts",
    "stock_day_counts",
    "login_throttle",
    "audit_log",
    "idempotent_answers",
    "alembic_version",
}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Flask]:
    """An application on an empty database."""
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{tmp_path}/empty.sqlite3"}))
    with app.app_context():
        yield app
        db.engine.dispose()


def test_there_is_exactly_one_head() -> None:
    scripts = ScriptDirectory(str(Path(__file__).parents[1] / "migrations"))
    assert len(scripts.get_heads()) == 1


def test_models_and_migrations_say_the_same(empty: Flask) -> None:
    flask_migrate.upgrade()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
    flask_migrate.check()


def test_down_to_nothing_and_up_again(empty: Flask) -> None:
    flask_migrate.upgrade()
    assert set(inspect(db.engine).get_table_names()) == TABLES
    flask_migrate.downgrade(revision="base")
    assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
    flask_migrate.upgrade()
    assert set(inspect(db.engine).get_table_names()) == TABLES


def test_a_token_that_was_ended_stays_so_after_a_downgrade_and_an_upgrade(empty: Flask) -> None:
    api = Api(empty, empty.test_client())
    flask_migrate.upgrade()
    users.add_user("johndoe", services_of(empty).passwords.hash("john"), Role.USER)
    token = api.token_of("johndoe")
    assert api.post("/api/v1/logout", token=token).status_code == 204
    flask_migrate.downgrade(revision="0001")
    flask_migrate.upgrade()
    assert api.get("/api/v1/users/history", token=token).status_code == 401
    assert api.get("/api/v1/users/history", by="johndoe").status_code == 200


def test_all_steps_of_a_run_are_one_transaction(empty: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    flask_migrate.upgrade()
    assert "Will assume transactional DDL." in caplog.messages


def test_a_migration_that_fails_leaves_nothing_behind(empty: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> Never:
        raise ZeroDivisionError

    monkeypatch.setattr(Operations, "create_index", fail)
    with pytest.raises(ZeroDivisionError):
        flask_migrate.upgrade()
    assert inspect(db.engine).get_table_names() == []


def test_migrating_leaves_foreign_keys_on_and_logging_alone(empty: Flask) -> None:
    handlers, level = list(logging.root.handlers), logging.root.level
    flask_migrate.upgrade()
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
    assert not logging.getLogger("api_service").disabled
