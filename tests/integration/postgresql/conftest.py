"""The API on a database of the test's own, and somebody else who is connected to it."""

import secrets
from collections.abc import Iterator

import flask_migrate
import psycopg
import pytest
from flask import Flask

from api_service import users
from api_service.app import create_app
from api_service.database import db
from api_service.models import Role
from api_service.settings import load
from api_service.tests.helpers import ScriptedStockClient


@pytest.fixture
def other(postgres: str) -> Iterator[psycopg.Connection]:
    """Somebody else on the test's database."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(f"{postgres} dbname={name}", autocommit=True) as connection:
        yield connection


@pytest.fixture
def uri(other: psycopg.Connection) -> str:
    """The test's database, as `DATABASE_URI`."""
    return f"postgresql+psycopg://postgres@/{other.info.dbname}?host={other.info.host}"


@pytest.fixture
def app(uri: str, stock_client: ScriptedStockClient) -> Iterator[Flask]:
    app = create_app(load({"APP_ENV": "development", "DATABASE_URI": uri}), stock_client)
    with app.app_context():
        flask_migrate.upgrade()
        users.add_user("johndoe", "hash", Role.USER)
    yield app
    with app.app_context():
        db.engine.dispose()
