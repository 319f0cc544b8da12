"""The most requested stocks are found by an index, however many counters there are."""

from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event

from api_service import popularity
from api_service.database import db, reading


def test_the_statistics_read_a_few_counters_however_many_there_are(app: Flask, other: psycopg.Connection) -> None:
    other.execute(
        "INSERT INTO stock_request_counts (symbol, slot, times)"
        " SELECT 's' || n, slot, 1 + 1000000 / n + slot FROM generate_series(1, 5000) n, generate_series(0, 15) slot"
    )
    other.execute("VACUUM ANALYZE stock_request_counts")
    sent: list[tuple[str, Any]] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        first = popularity.most_requested()
        assert [count.stock for count in first] == ["s1", "s2", "s3", "s4", "s5"]
        with reading() as connection:
            plans = [
                "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
                for statement, values in sent.copy()
                if "stock_request_counts" in statement
            ]
    assert len(plans) == 2
    assert not [plan for plan in plans if "Seq Scan on stock_request_counts" in plan]
