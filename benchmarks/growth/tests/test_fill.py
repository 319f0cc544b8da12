"""A filled history has the rows that were asked for, and the counts that belong to them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from api_service.models import Base
from benchmarks.growth.fill import OWN_SHARE, fill

ROWS = 3000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "history.sqlite3"
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO users VALUES (1, 'johndoe', '', 'USER', 1, '2026-01-01 00:00:00.000000', 0)")
    return file


def test_rows_are_spread_over_users_and_symbols_and_counted(file: Path) -> None:
    middle = fill(f"sqlite:///{file}", ROWS)
    with closing(sqlite3.connect(file)) as connection:
        own = connection.execute("SELECT count(*), sum(id < ?) FROM history WHERE user_id = 1", [middle]).fetchone()
        (users,) = connection.execute("SELECT count(DISTINCT user_id) FROM history").fetchone()
        saved = connection.execute("SELECT lower(symbol), count(*) FROM history GROUP BY 1").fetchall()
        counted = connection.execute("SELECT symbol, sum(times) FROM stock_request_counts GROUP BY 1").fetchall()
        by_day = connection.execute("SELECT date(requested_at), lower(symbol), count(*) FROM history GROUP BY 1, 2")
        of_days = connection.execute("SELECT day, symbol, sum(times) FROM stock_day_counts GROUP BY 1, 2")
        assert by_day.fetchall() == of_days.fetchall()
    assert sum(times for _, times in saved) == ROWS
    assert dict(counted) == dict(saved)
    assert abs(own[0] / ROWS - OWN_SHARE) < 0.1
    assert own[1] == own[0] // 2
    assert users > 200
    assert len(saved) > 300
    assert max(saved, key=lambda row: row[1])[0] == "s1.us"
