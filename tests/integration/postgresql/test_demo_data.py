"""What is added by COPY is what the service would have saved: exact, counted, all of a batch or nothing."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from api_service.bulk_entries import Entry, add_entries
from api_service.database import DatabaseUnavailableError, reading, writing
from api_service.models import HistoryEntry, StockRequestCount
from api_service.tests.helpers import Api, runner_on

MOMENT = datetime(2026, 11, 29, 12, 0, 0, 7, tzinfo=UTC)
PRICES = [Decimal(text) for text in ("0.1000000001", "999999999999.99", "0.00000001", "26350")]
OF_DAYS = """
SELECT (requested_at AT TIME ZONE 'UTC')::date, lower(symbol), count(*) FROM history GROUP BY 1, 2 ORDER BY 1, 2
"""
ENTRIES = [
    Entry(1, "r0", 0, MOMENT, "^SPX", "Ä\t\\N", *PRICES, 2**63 - 1, "USD", "demo", MOMENT, True),
    Entry(1, "r1", 1, MOMENT, "PKO", "", *PRICES, None, None, "demo", MOMENT, False),
]


def test_copied_entries_are_exact_and_a_batch_that_is_refused_leaves_nothing(app: Flask, api: Api) -> None:
    with app.app_context():
        with writing() as connection:
            add_entries(connection, ENTRIES)
        with reading() as connection:
            rows = connection.execute(select(HistoryEntry.__table__).order_by(HistoryEntry.id)).all()
        again = [ENTRIES[0]._replace(request_id="r2"), ENTRIES[1]]
        with pytest.raises(DatabaseUnavailableError) as caught, writing() as connection:
            add_entries(connection, again)
    assert [tuple(row)[1:] for row in rows] == [tuple(entry) for entry in ENTRIES]
    assert caught.value.refused
    assert (api.rows(HistoryEntry), api.rows(StockRequestCount)) == (2, 2)


def test_the_command_fills_and_counts(app: Flask, api: Api, uri: str, other: psycopg.Connection) -> None:
    assert "Added 6,000 entries to the history of johndoe" in runner_on(uri)("demo-data", "--rows", "6000")
    saved = other.execute(OF_DAYS).fetchall()
    of_days = "SELECT day, symbol, sum(times)::bigint FROM stock_day_counts GROUP BY 1, 2 ORDER BY 1, 2"
    assert other.execute(of_days).fetchall() == saved
    by_symbol: Counter[str] = Counter()
    for _, symbol, times in saved:
        by_symbol[symbol] += times
    of_all = "SELECT symbol, sum(times)::bigint FROM stock_request_counts GROUP BY 1"
    assert dict(other.execute(of_all).fetchall()) == by_symbol
    assert by_symbol.total() == 6000
    assert len(api.get("/api/v1/users/history", by="johndoe", limit=1000).get_json()) == 1000
