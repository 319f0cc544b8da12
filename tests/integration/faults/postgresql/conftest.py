"""What callers see when PostgreSQL, or the way to it, fails: the real server behind a proxy with faults."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flask_migrate
import pytest
from flask import Flask

from api_service import users
from api_service.database import db
from api_service.models import Role
from api_service.services import services_of
from api_service.tests.helpers import Api, ScriptedStockClient
from scripts.ports import free_ports
from scripts.private_postgres import PrivatePostgres
from tests.fault_proxy import FaultProxy
from tests.integration.faults.postgresql.parts import Ask, DuringTheCall, Server, application, asking


@pytest.fixture(scope="session")
def server(postgres: str) -> Iterator[Server]:
    """Who stops it starts it again: the next test finds it running. `postgres` saw to its programs."""
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


@pytest.fixture
def ask(api: Api) -> Ask:
    return asking(api)


@pytest.fixture
def during_the_call(stock_client: ScriptedStockClient, monkeypatch: pytest.MonkeyPatch) -> DuringTheCall:
    def interrupt(act: Callable[[], object]) -> None:
        quotes = stock_client.quotes

        def interrupted(*args: Any, **kwargs: Any) -> Sequence[Any]:
            monkeypatch.undo()
            act()
            return quotes(*args, **kwargs)

        monkeypatch.setattr(stock_client, "quotes", interrupted)

    return interrupt
