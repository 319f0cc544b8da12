"""A history that the benchmarks fill is one as the service makes it."""

import psycopg
import pytest

from benchmarks.growth.fill import fill

ROWS = 2000
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'history' ORDER BY 1"
CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'history'::regclass ORDER BY 1"
)


def number(connection: psycopg.Connection, query: str, *values: object) -> int:
    row = connection.execute(query, values).fetchone()
    assert row
    return int(row[0])


@pytest.mark.usefixtures("app")
def test_a_filled_history_has_its_indexes_and_exact_counts(other: psycopg.Connection, uri: str) -> None:
    before = [other.execute(query).fetchall() for query in (INDEXES, CONSTRAINTS)]
    middle = fill(uri, ROWS)
    assert [other.execute(query).fetchall() for query in (INDEXES, CONSTRAINTS)] == before
    saved = dict(other.execute("SELECT lower(symbol), count(*) FROM history GROUP BY 1").fetchall())
    counted = dict(other.execute("SELECT symbol, sum(times) FROM stock_request_counts GROUP BY 1").fetchall())
    assert sum(saved.values()) == ROWS
    assert counted == saved
    own = number(other, "SELECT count(*) FROM history WHERE user_id = 1")
    assert number(other, "SELECT count(*) FROM history WHERE user_id = 1 AND id < %s", middle) == own // 2
    assert number(other, "SELECT nextval(pg_get_serial_sequence('history', 'id'))") == ROWS + 1
