"""Adds entries to the history and counts them, on PostgreSQL: one statement, and so one way to the server and back.

The counts' rows are locked from here to the commit. As three statements, as on SQLite, a transaction would hold them
while its process is twice told of a result and asked for the next step; on a busy machine that takes most of its time.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from api_service.models import HistoryEntry

_COLUMNS: Final = [column for column in HistoryEntry.__table__.columns if not column.primary_key]
_NAMES: Final = ", ".join(column.name for column in _COLUMNS)
_TYPES: Final = ", ".join(f"{column.name} {column.type.compile(postgresql.dialect())}" for column in _COLUMNS)  # type: ignore[no-untyped-call]

# One JSON value holds any number of rows: the text is always the same, so that the driver has it prepared, and there
# is no limit of 65,535 values. Symbols are ASCII; the collation keeps the server's language out of lower().
# The second count waits for the whole first one, therefore count(*) and not EXISTS: all transactions lock rows in one
# order, or two could wait in a circle.
_ADD: Final = f"""
WITH entries AS (
    INSERT INTO history ({_NAMES})
    SELECT {_NAMES} FROM json_to_recordset(%(rows)s::json) AS given ({_TYPES})
    ON CONFLICT (request_id, position) DO NOTHING
    RETURNING (requested_at AT TIME ZONE 'UTC')::date AS day, lower(symbol COLLATE "C") AS stock
), all_days AS (
    INSERT INTO stock_request_counts AS counts (symbol, slot, times)
    SELECT stock, %(slot)s, count(*) FROM entries GROUP BY stock ORDER BY stock
    ON CONFLICT (symbol, slot) DO UPDATE SET times = counts.times + excluded.times
    RETURNING symbol
)
INSERT INTO stock_day_counts AS counts (day, symbol, slot, times)
SELECT day, stock, %(slot)s, count(*) FROM entries WHERE (SELECT count(*) FROM all_days) > 0
GROUP BY day, stock ORDER BY day, stock
ON CONFLICT (day, symbol, slot) DO UPDATE SET times = counts.times + excluded.times
"""  # noqa: S608  names and types of our own columns


def add_counted(connection: Connection, rows: Sequence[Mapping[str, Any]], slot: int) -> None:
    """Add those of `rows` that are not there yet to the history, and count them in `slot`, in this transaction.

    :raises sqlalchemy.exc.DBAPIError: the database refuses a row; none is added.
    """
    connection.exec_driver_sql(_ADD, {"rows": json.dumps(rows, default=_as_text), "slot": slot})


def _as_text(value: Decimal | datetime) -> str:
    """What JSON has no form for; as text it loses nothing.

    :raises ValueError: a moment without a zone: the server would take it for one in the zone of its session.
    """
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a moment without a zone")
    return str(value)
