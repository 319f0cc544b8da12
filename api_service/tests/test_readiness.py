"""GET /readyz: the database and its tables decide, the stock service is told of, and nobody looks too often."""

import threading
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from api_service.database import db
from api_service.readiness import Checks, Readiness, State
from api_service.tests.helpers import Api, ScriptedStockClient

WELL = {"database": "ok", "schema": "ok", "stock_service": "ok"}


def readyz(api: Api) -> tuple[int, Any]:
    answer = api.get("/readyz")
    assert answer.content_type == "application/json"
    return answer.status_code, answer.get_json()


def test_it_is_ready_and_looks_once_a_second(api: Api, stock_client: ScriptedStockClient) -> None:
    for _ in range(3):
        assert readyz(api) == (200, {"status": "ok", "checks": WELL})
    assert stock_client.looks == 1


def test_without_a_stock_service_it_is_ready_and_says_so(api: Api, stock_client: ScriptedStockClient) -> None:
    stock_client.reached = False
    assert readyz(api) == (200, {"status": "ok", "checks": WELL | {"stock_service": "unavailable"}})


def test_on_tables_of_an_older_version_it_is_not_ready(app: Flask, api: Api) -> None:
    with app.app_context():
        flask_migrate.downgrade()
    assert readyz(api) == (503, {"status": "unavailable", "checks": WELL | {"schema": "outdated"}})


def test_on_tables_of_a_newer_version_it_goes_on(app: Flask, api: Api) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert readyz(api) == (200, {"status": "ok", "checks": WELL})


def test_without_its_database_it_is_not_ready(app: Flask, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("SELECT secret", None, Exception("internal"))

    with app.app_context():
        monkeypatch.setattr(db.engine, "connect", refuse)
    checks = WELL | {"database": "unavailable", "schema": "unknown"}
    assert readyz(api) == (503, {"status": "unavailable", "checks": checks})


class Looks:
    """Counts them; each waits until it may end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.number = 0

    def __call__(self) -> Checks:
        self.number += 1
        self.begun.release()
        assert self.may_end.wait(5)
        return {"database": State.OK, "schema": State.OK, "stock_service": State.OK}


def test_who_asks_during_a_look_gets_what_it_finds_and_after_a_second_there_is_a_new_one() -> None:
    now, looks = 100.0, Looks()
    readiness = Readiness(looks, clock=lambda: now)
    found: list[Checks] = []
    threads = [threading.Thread(target=lambda: found.append(readiness.checks())) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert looks.begun.acquire(timeout=5)
    looks.may_end.set()
    for thread in threads:
        thread.join(5)
    assert (len(found), looks.number) == (3, 1)
    now += 0.99
    readiness.checks()
    assert looks.number == 1
    now += 0.01
    readiness.checks()
    assert looks.number == 2
