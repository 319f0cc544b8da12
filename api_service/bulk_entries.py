"""Adds many history entries quickly, with the counts that belong to them: for demonstrations and measurements.

The service itself saves by `api_service.history`, which takes the same request twice; this does not.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api_service.history import count_served


class Entry(NamedTuple):
    """A row of the history; the moments have a zone."""

    user_id: int
    request_id: str
    position: int
    requested_at: datetime
    symbol: str
    name: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None
    currency: str | None
    source: str
    as_of: datetime
    stale: bool


_COLUMNS: Final = ", ".join(Entry._fields)
_COPY: Final = f"COPY history ({_COLUMNS}) FROM STDIN"
_INSERT: Final = f"INSERT INTO history ({_COLUMNS}) VALUES ({', '.join('?' * len(Entry._fields))})"  # noqa: S608  constants of this module


def add_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add `entries` with ids in their order, and count them, in the transaction of `connection`.

    :raises sqlalchemy.exc.DBAPIError: the database refuses them, or an entry's request is there already.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT, [_as_stored_by_sqlite(entry) for entry in entries])
    else:
        _copy(connection, entries)
    days = Counter((entry.requested_at.astimezone(UTC).date(), entry.symbol.lower()) for entry in entries)
    count_served(connection, days)


def _copy(connection: Connection, entries: Sequence[Entry]) -> None:
    """SQLAlchemy knows no COPY, so the driver is asked, and its errors are made those of SQLAlchemy."""
    import psycopg  # with SQLite the driver need not be loaded

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            for entry in entries:
                copy.write_row(entry)
    except psycopg.Error as error:
        raise DBAPIError.instance(_COPY, None, error, psycopg.Error, dialect=connection.dialect) from error


def _as_stored_by_sqlite(entry: Entry) -> tuple[Any, ...]:
    """As `api_service.column_types` has SQLAlchemy store them."""
    prices = (format(price, "f") for price in entry[6:10])
    return (
        *entry[:3],
        _text(entry.requested_at),
        *entry[4:6],
        *prices,
        *entry[10:13],
        _text(entry.as_of),
        entry.stale,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
