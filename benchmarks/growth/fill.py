"""Fills a history quickly, with rows like real ones: many users and symbols, a few of them far ahead."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from sqlalchemy import Connection, create_engine, text

from api_service.bulk_entries import Entry, add_entries
from api_service.models import COUNT_SLOTS

USERS: Final = 500
"""Beside johndoe; the first of them ask more often than the last."""
OWN_SHARE: Final = 0.3
"""Of the rows that are johndoe's: so that he has pages in the smallest history too."""
SYMBOLS: Final = 5000
"""Asked for by Zipf's law, the second half as often as the first."""
INTERVAL: Final = timedelta(seconds=0.1)
"""Between two rows: so ten million are those of twelve days."""
_OPEN, _HIGH, _LOW, _CLOSE = map(Decimal, ("148.43", "150.4", "147.48", "149.99"))

_ADD_USER: Final = text(
    "INSERT INTO users (username, password_hash, role, active, created_at)"
    " VALUES (:name, 'none', 'USER', true, '2026-01-01 00:00:00.000000')"
)
_IDS: Final = text(
    "SELECT (SELECT id FROM users WHERE username = 'johndoe'), (SELECT min(id) FROM users WHERE username LIKE 'user%')"
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

    Each batch takes one slot of the counters at random, so there are as many batches as slots. On PostgreSQL the
    indexes are dropped meanwhile, because building them at the end takes a fraction of the time.
    """
    engine = create_engine(uri)
    database = engine.dialect.name
    try:
        with engine.connect() as connection:
            connection.execute(text(_FASTER[database]))
            connection.commit()
            entries = _entries(rows, *_users(connection))
            with _without_indexes(connection) if database == "postgresql" else nullcontext():
                while batch := list(islice(entries, -(-rows // COUNT_SLOTS))):
                    add_entries(connection, batch)
                    connection.commit()
            middle = connection.scalar(_MIDDLE)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in _TIDY[database]:
                connection.execute(text(statement))
    finally:
        engine.dispose()
    return int(middle or 0)


def _users(connection: Connection) -> tuple[int, int]:
    """Add the others; the id of johndoe, and the first of theirs."""
    connection.execute(_ADD_USER, [{"name": f"user{number}"} for number in range(1, USERS + 1)])
    connection.commit()
    own, first = connection.execute(_IDS).one()
    return int(own), int(first)


def _entries(rows: int, own: int, first: int) -> Iterator[Entry]:
    now = datetime.now(UTC)
    dice = random.random
    for number in range(rows):
        asked = now - (rows - number) * INTERVAL
        user = own if dice() < OWN_SHARE else first + int(USERS * dice() ** 2)
        request = f"{random.getrandbits(128):032x}"
        symbol = f"S{int(SYMBOLS ** dice())}.US"
        prices = (_OPEN, _HIGH, _LOW, _CLOSE)
        yield Entry(user, request, 0, asked, symbol, "COMPANY", *prices, 63_804_008, "USD", "stooq", asked, False)


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
