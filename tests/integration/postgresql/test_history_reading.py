"""Pages of a long history, filtered or not, are found by an index, and so are days of the statistics."""

from datetime import date, timedelta
from itertools import combinations
from typing import Any

import flask_migrate
import psycopg
from flask import Flask
from sqlalchemy import event

from api_service import popularity
from api_service.database import db, reading
from api_service.history_reading import Filters, chunks, count, page, step

ROWS = 20_000
FILL = """
INSERT INTO history (id, user_id, request_id, position, requested_at, symbol, name, open, high, low, close, source,
                     as_of, stale)
SELECT 3000000000 + n, CASE WHEN n %% 10 = 0 THEN 1 ELSE 2 END, 'r' || n, 0,
       timestamptz '2026-11-28 23:53:20Z' + (n / 25) * interval '1 second',
       'S' || n %% 7, 'NAME', 1.10, 2, 3, 4, 'stooq', now(), false
FROM generate_series(1, %s) n
"""


def fill(other: psycopg.Connection) -> list[tuple[Any, ...]]:
    """User 1's rows (moment, id, symbol), the latest first; one table is filled by the rows and not by saving."""
    other.execute("INSERT INTO users SELECT 2, 'jane', password_hash, role, active, created_at FROM users")
    other.execute(FILL, [ROWS])
    other.execute("VACUUM ANALYZE")
    return other.execute(
        "SELECT requested_at, id, symbol FROM history WHERE user_id = 1 ORDER BY requested_at DESC, id DESC"
    ).fetchall()


def test_every_page_and_count_is_right_and_found_by_an_index(app: Flask, other: psycopg.Connection) -> None:
    rows = fill(other)
    start, end, before = rows[-200][0], rows[100][0], rows[500][1]
    values = {"symbol": "S3", "start": start, "end": end}
    sent: list[tuple[str, Any]] = []
    with app.app_context(), reading() as connection:
        event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        for names in [names for n in range(4) for names in combinations(values, n)]:
            filters = Filters(**{name: values[name] for name in names})
            left = [
                row
                for row in rows
                if ("symbol" not in names or row[2] == "S3")
                and ("start" not in names or row[0] >= start)
                and ("end" not in names or row[0] < end)
            ]
            for place in (None, before, 10**18 - 1):
                below = [row for row in left if place != before or row[:2] < rows[500][:2]]
                found = [entry["id"] for entry in page(connection, 1, filters, 7, place)]
                assert found == [row[1] for row in below[:7]], (names, place)
            assert count(connection, 1, filters) == len(left)
        moment, passed = step(connection, 1, start, end, 1000) or (start, 0)
        assert passed == len([row for row in rows if start <= row[0] < moment]) > 990
        assert step(connection, 1, start, end, ROWS) is None
        for statement, parameters in dict(sent).items():
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            assert "Seq Scan" not in plan, plan
            assert "Sort" not in plan, plan
            assert ("below" in str(parameters)) <= ("ROW(requested_at, id) <" in plan), plan


def test_chunks_are_all_of_it_in_order(app: Flask, other: psycopg.Connection) -> None:
    rows = fill(other)
    with app.app_context():
        read = [entry.id for chunk in chunks(1, Filters(), 300) for entry in chunk]
    assert read == [row[1] for row in rows]


def test_days_are_counted_by_the_migration_and_found_by_their_index(app: Flask, other: psycopg.Connection) -> None:
    other.execute("SET timezone TO 'Asia/Tokyo'")
    fill(other)
    day = date(2026, 11, 29)
    sent: list[tuple[str, Any]] = []
    with app.app_context():
        flask_migrate.downgrade(revision="0006")
        flask_migrate.upgrade()
        first = popularity.most_requested_on(day - timedelta(days=1), day - timedelta(days=1), 100)
        assert sum(count.times_requested for count in first) == 9999
        rest = popularity.most_requested_on(day, day + timedelta(days=365), 100)
        assert sum(count.times_requested for count in rest) == ROWS - 9999
        other.execute(
            "INSERT INTO stock_day_counts"
            " SELECT date '2025-01-01' + d, 's' || n, 0, 1 FROM generate_series(1, 365) d, generate_series(1, 100) n"
        )
        other.execute("VACUUM ANALYZE stock_day_counts")
        event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        assert len(popularity.most_requested_on(day, day)) == 5
        with reading() as connection:
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {sent[0][0]}", sent[0][1]).scalars())
    assert "pk_stock_day_counts" in plan
