"""Fills a history quickly, with rows like real ones: many users and symbols, a few of them far ahead.

The database makes the rows itself: ten million from outside (`api_service.bulk_entries`) take ten times as long.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text

from api_service.models import COUNT_SLOTS

USERS: Final = 500
"""Beside johndoe; the first of them ask more often than the last."""
OWN_SHARE: Final = 0.3
"""Of the rows that are johndoe's: so that he has pages in the smallest history too."""
SYMBOLS: Final = 5000
"""Asked for by Zipf's law, the second half as often as the first."""
INTERVAL: Final = 0.1
"""Seconds between two rows: so ten million are those of twelve days."""

_COLUMNS: Final = (
    "id, user_id, request_id, position, requested_at, symbol, name, open, high, low, close, volume, currency, source,"
    " as_of, stale"
)
_POSTGRES_ROWS: Final = f"""
INSERT INTO history ({_COLUMNS})
SELECT n,
       CASE WHEN random() < {OWN_SHARE} THEN own.id ELSE others.first + floor({USERS} * random() ^ 2)::int END,
       md5(n::text), 0, now() - (:rows - n) * interval '{INTERVAL} second',
       'S' || floor({SYMBOLS} ^ random())::int || '.US', 'COMPANY', 148.43, 150.4, 147.48, 149.99, 63804008, 'USD',
       'stooq', now() - (:rows - n) * interval '{INTERVAL} second', false
FROM generate_series(1, :rows) n,
     (SELECT id FROM users WHERE username = 'johndoe') own,
     (SELECT min(id) AS first FROM users WHERE username LIKE 'user%') others
"""  # noqa: S608  constants of this module
_SQLITE_ROWS: Final = f"""
WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :rows)
INSERT INTO history ({_COLUMNS})
SELECT n, CASE WHEN dice() < {OWN_SHARE} THEN own.id ELSE others.first + CAST({USERS} * dice() * dice() AS int) END,
       lower(hex(randomblob(16))), 0,
       strftime('%Y-%m-%d %H:%M:%f', 'now', ((n - :rows) * {INTERVAL}) || ' seconds') || '000',
       'S' || zipf() || '.US', 'COMPANY', '148.43', '150.4', '147.48', '149.99', 63804008, 'USD', 'stooq',
       strftime('%Y-%m-%d %H:%M:%f', 'now', ((n - :rows) * {INTERVAL}) || ' seconds') || '000', 0
FROM series, (SELECT id FROM users WHERE username = 'johndoe') own,
     (SELECT min(id) AS first FROM users WHERE username LIKE 'user%') others
"""  # noqa: S608  as above
_ROWS: Final = {"postgresql": _POSTGRES_ROWS, "sqlite": _SQLITE_ROWS}
_DAY: Final = {"postgresql": "(requested_at AT TIME ZONE 'UTC')::date", "sqlite": "date(requested_at)"}
_COUNTS: Final = f"""
INSERT INTO stock_request_counts (symbol, slot, times)
SELECT lower(symbol), id % {COUNT_SLOTS}, count(*) FROM history GROUP BY 1, 2
"""  # noqa: S608  as above
_DAY_COUNTS: Final = f"""
INSERT INTO stock_day_counts (day, symbol, slot, times)
SELECT {{day}}, lower(symbol), id % {COUNT_SLOTS}, count(*) FROM history GROUP BY 1, 2, 3
"""  # noqa: S608  as above
_NEXT_ID: Final = text("SELECT setval(pg_get_serial_sequence('history', 'id'), (SELECT max(id) FROM history))")
_ADD_USER: Final = text(
    "INSERT INTO users (username, password_hash, role, active, created_at)"
    " VALUES (:name, 'none', 'USER', true, '2026-01-01 00:00:00.000000')"
)
_MIDDLE: Final = text("""
SELECT id FROM history WHERE user_id = (SELECT id FROM users WHERE username = 'johndoe') ORDER BY id
LIMIT 1 OFFSET (SELECT count(*) / 2 FROM history WHERE user_id = (SELECT id FROM users WHERE username = 'johndoe'))
""")
_CONSTRAINTS: Final = text("""
SELECT 'ALTER TABLE history DROP CONSTRAINT ' || conname,
       'ALTER TABLE history ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = 'history'::regclass ORDER BY contype
""")
_OTHER_INDEXES: Final = text("""
SELECT 'DROP INDEX ' || indexname, indexdef FROM pg_indexes
WHERE tablename = 'history' AND indexname NOT IN
      (SELECT conname FROM pg_constraint WHERE conrelid = 'history'::regclass)
""")


_FASTER: Final = {"sqlite": "PRAGMA cache_size = -500000", "postgresql": "SET maintenance_work_mem = '1GB'"}
_TIDY: Final = {"sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"), "postgresql": ("VACUUM (ANALYZE)",)}


def fill(uri: str, rows: int) -> int:
    """Fill the empty history of a prepared database; the id in the middle of johndoe's entries.

    On PostgreSQL the indexes are dropped meanwhile, because building them at the end takes a fraction of the time.
    """
    engine = create_engine(uri)
    database = engine.dialect.name
    try:
        with engine.connect() as connection:
            connection.execute(text(_FASTER[database]))
            connection.execute(_ADD_USER, [{"name": f"user{number}"} for number in range(1, USERS + 1)])
            connection.commit()
            with _without_indexes(connection) if database == "postgresql" else _with_functions(connection):
                connection.execute(text(_ROWS[database]), {"rows": rows})
                connection.commit()
            _count(connection, database)
            middle = connection.scalar(_MIDDLE)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in _TIDY[database]:
                connection.execute(text(statement))
    finally:
        engine.dispose()
    return int(middle or 0)


def _count(connection: Connection, database: str) -> None:
    """As the service counts what it saves."""
    connection.execute(text(_COUNTS))
    connection.execute(text(_DAY_COUNTS.format(day=_DAY[database])))
    if database == "postgresql":
        connection.execute(_NEXT_ID)
    connection.commit()


@contextmanager
def _with_functions(connection: Connection) -> Iterator[None]:
    """What SQLite lacks of a dice that throws fractions, and of powers."""
    driver: Any = connection.connection.driver_connection
    driver.create_function("dice", 0, random.random)
    driver.create_function("zipf", 0, lambda: int(SYMBOLS ** random.random()))
    yield


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    again = []
    for found in (_CONSTRAINTS, _OTHER_INDEXES):
        for drop, create in connection.execute(found).all():
            connection.execute(text(drop))
            again.append(create)
    connection.commit()
    yield
    for statement in again:
        connection.execute(text(statement))
    connection.commit()
