"""Fills a history quickly, with rows like real ones: many users and symbols, a few of them far ahead."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

USERS: Final = 500
"""Beside johndoe; the first of them ask more often than the last."""
OWN_SHARE: Final = 0.3
"""Of the rows that are johndoe's: so that he has pages in the smallest history too."""
SYMBOLS: Final = 5000
"""Asked for by Zipf's law, the second half as often as the first."""
_COLUMNS: Final = (
    "id, user_id, request_id, position, requested_at, symbol, name, open, high, low, close, volume, currency, source,"
    " as_of, stale"
)

_POSTGRES_ROWS: Final = f"""
INSERT INTO history ({_COLUMNS})
SELECT n,
       CASE WHEN random() < {OWN_SHARE} THEN own.id ELSE others.first + floor({USERS} * random() ^ 2)::int END,
       md5(n::text), 0, now() - (%(rows)s - n) * interval '1 second',
       'S' || floor({SYMBOLS} ^ random())::int || '.US', 'COMPANY', 148.43, 150.4, 147.48, 149.99, 63804008, 'USD',
       'stooq', now() - (%(rows)s - n) * interval '1 second', false
FROM generate_series(1, %(rows)s) n,
     (SELECT id FROM users WHERE username = 'johndoe') own,
     (SELECT min(id) AS first FROM users WHERE username LIKE 'user%%') others
"""  # noqa: S608  constants of this module
_POSTGRES_COUNTS: Final = """
INSERT INTO stock_request_counts (symbol, slot, times)
SELECT lower(symbol), slot, count(*)
FROM (SELECT symbol, id % 16 AS slot FROM history) AS served GROUP BY 1, 2
"""
_INDEXES: Final = """
SELECT conname, 'ALTER TABLE history ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = 'history'::regclass ORDER BY contype
"""
_OTHER_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'history' AND indexname NOT IN
      (SELECT conname FROM pg_constraint WHERE conrelid = 'history'::regclass)
"""

_SQLITE_ROWS: Final = f"""
WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :rows)
INSERT INTO history ({_COLUMNS})
SELECT n, CASE WHEN dice() < {OWN_SHARE} THEN own.id ELSE others.first + CAST({USERS} * dice() * dice() AS int) END,
       lower(hex(randomblob(16))), 0, strftime('%Y-%m-%d %H:%M:%S.000000', 'now', (n - :rows) || ' seconds'),
       'S' || zipf() || '.US', 'COMPANY', '148.43', '150.4', '147.48', '149.99', 63804008, 'USD', 'stooq',
       strftime('%Y-%m-%d %H:%M:%S.000000', 'now', (n - :rows) || ' seconds'), 0
FROM series, (SELECT id FROM users WHERE username = 'johndoe') own,
     (SELECT min(id) AS first FROM users WHERE username LIKE 'user%') others
"""  # noqa: S608  as above
_SQLITE_COUNTS: Final = """
INSERT INTO stock_request_counts (symbol, slot, times)
SELECT lower(symbol), slot, count(*) FROM (SELECT symbol, id % 16 AS slot FROM history) GROUP BY 1, 2
"""
_MIDDLE: Final = (
    "SELECT id FROM history WHERE user_id = (SELECT id FROM users WHERE username = 'johndoe') ORDER BY id"
    " LIMIT 1 OFFSET (SELECT count(*) / 2 FROM history"
    " WHERE user_id = (SELECT id FROM users WHERE username = 'johndoe'))"
)


def fill_postgres(conninfo: str, rows: int) -> int:
    """Fill the empty history of a prepared database; the id in the middle of johndoe's entries.

    The indexes are dropped meanwhile, because building them at the end takes a fraction of the time.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute(
            "INSERT INTO users (username, password_hash, role, active, created_at)"
            " SELECT 'user' || n, 'none', 'USER', true, now() FROM generate_series(1, %s) n",
            [USERS],
        )
        again = [*_dropped_constraints(connection), *_dropped_indexes(connection)]
        connection.execute(_POSTGRES_ROWS, {"rows": rows})
        for statement in again:
            connection.execute(sql.SQL(statement))
        connection.execute("SELECT setval(pg_get_serial_sequence('history', 'id'), %s)", [rows])
        connection.execute(_POSTGRES_COUNTS)
        connection.execute("VACUUM (ANALYZE)")
        return _one(connection.execute(_MIDDLE))


def fill_sqlite(file: Path, rows: int) -> int:
    """As `fill_postgres`; SQLite cannot drop a constraint, so its rows are indexed as they come."""
    with closing(sqlite3.connect(file)) as connection:
        connection.create_function("dice", 0, random.random)
        connection.create_function("zipf", 0, lambda: int(SYMBOLS ** random.random()))
        connection.execute("PRAGMA cache_size = -500000")
        connection.executemany(
            "INSERT INTO users (username, password_hash, role, active, created_at)"
            " VALUES (?, 'none', 'USER', 1, '2026-01-01 00:00:00.000000')",
            [(f"user{number}",) for number in range(1, USERS + 1)],
        )
        connection.execute(_SQLITE_ROWS, {"rows": rows})
        connection.execute(_SQLITE_COUNTS)
        connection.commit()
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return _one(connection.execute(_MIDDLE))


def _dropped_constraints(connection: psycopg.Connection[Any]) -> list[str]:
    """Statements that make them again."""
    constraints = connection.execute(_INDEXES).fetchall()
    for name, _ in constraints:
        connection.execute(sql.SQL("ALTER TABLE history DROP CONSTRAINT {}").format(sql.Identifier(name)))
    return [statement for _, statement in constraints]


def _dropped_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    indexes = connection.execute(_OTHER_INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [statement for _, statement in indexes]


def _one(cursor: Any) -> int:
    (value,) = cursor.fetchone()
    return int(value)
