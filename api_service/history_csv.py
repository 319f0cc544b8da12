"""A user's history as CSV (RFC 4180), which a spreadsheet can open without running anything that stands in it.

Usable without a request: `commands.py` and the API write the same.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

from api_service.database import reading
from api_service.history_reading import Filters, chunks, count

COLUMNS: Final = (
    "date",
    "symbol",
    "name",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "currency",
    "source",
    "as_of",
    "stale",
)
_AT_ONCE: Final = 1000
"""Entries in memory: about 2 MB."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""


def lines(user_id: int, filters: Filters) -> Iterator[str]:
    """The header and then the entries, the latest first, in texts of whole lines that end with CR LF.

    Up to a thousand entries are read and given at a time, so a history of any length takes the same memory. Entries
    that are added meanwhile are left out.

    :raises DatabaseUnavailableError: at any step; what was given by then is a part only.
    """
    head: tuple[tuple[Any, ...], ...] = (COLUMNS,)
    for entries in chunks(user_id, filters, _AT_ONCE):
        yield _written((*head, *map(_cells, entries)))
        head = ()
    if head:
        yield _written(head)


def size(user_id: int, filters: Filters) -> int:
    """How many entries there are to write.

    :raises DatabaseUnavailableError: nobody can say.
    """
    with reading() as connection:
        return count(connection, user_id, filters)


def _written(rows: tuple[tuple[Any, ...], ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(entry: Sequence[Any]) -> tuple[Any, ...]:
    _, asked, name, symbol, *prices, volume, currency, source, as_of, stale = entry
    return (
        f"{asked.isoformat()[:19]}Z",  # whole seconds; moments come from the database in UTC
        _text(symbol),
        _text(name),
        *(format(price, "f") for price in prices),
        volume,
        _text(currency or ""),
        _text(source),
        as_of.isoformat().replace("+00:00", "Z"),
        "true" if stale else "false",
    )


def _text(value: str) -> str:
    """An apostrophe in front makes a text of what would be a formula. A number of ours needs none."""
    return f"'{value}" if value.startswith(_FORMULA) else value
