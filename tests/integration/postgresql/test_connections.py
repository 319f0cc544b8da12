"""A connection of the pool is looked at before it is used, unless it has answered a moment ago."""

from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import literal_column, select

from api_service import postgresql
from api_service.database import read_row, reading
from api_service.postgresql import BoundedConnection

ONE = select(literal_column("1"))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[BoundedConnection]:
    """The connections that were looked at: their users make cursors."""
    execute, seen = BoundedConnection.execute, []

    def look(self: BoundedConnection, *args: Any) -> Any:
        seen.append(self)
        return execute(self, *args)

    monkeypatch.setattr(BoundedConnection, "execute", look)
    return seen


@pytest.mark.parametrize(("trusted", "expected"), [(60.0, 0), (0.0, 1)], ids=["a moment ago", "a while ago"])
def test_only_who_has_not_answered_a_moment_ago_is_looked_at(
    app: Flask, looks: list[Any], monkeypatch: pytest.MonkeyPatch, trusted: float, expected: int
) -> None:
    monkeypatch.setattr(postgresql, "_TRUSTED", trusted)
    with app.app_context():
        assert read_row(ONE, {}) == (1,)
        looks.clear()
        assert read_row(ONE, {}) == (1,)
    assert len(looks) == expected


@pytest.mark.parametrize("trusted", [60.0, 0.0], ids=["a moment ago", "a while ago"])
def test_one_that_the_server_has_ended_is_replaced_however_lately_it_answered(
    app: Flask, other: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, trusted: float
) -> None:
    monkeypatch.setattr(postgresql, "_TRUSTED", trusted)
    with app.app_context():
        assert read_row(ONE, {}) == (1,)
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'api_service'"
        assert other.execute(ended).fetchall() == [(True,)]
        with reading() as connection:
            assert connection.execute(ONE).one() == (1,)


def test_one_that_is_closed_is_replaced_however_lately_it_answered(
    app: Flask, looks: list[BoundedConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        monkeypatch.setattr(postgresql, "_TRUSTED", 0.0)
        assert [read_row(ONE, {}) for _ in range(2)] == [(1,)] * 2
        monkeypatch.setattr(postgresql, "_TRUSTED", 60.0)
        looks[-1].close()
        assert read_row(ONE, {}) == (1,)
