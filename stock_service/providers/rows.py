"""Reads quotes from rows of stooq's CSV form; `recorded` keeps its rows in the same form."""

import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from stock_contract import Quote
from stock_service.providers.base import FailureKind, ProviderError, malformed

WARSAW: Final = ZoneInfo("Europe/Warsaw")
"""Dates and times are wall-clock time there, whatever the market."""

MAX_NAME_LENGTH: Final = 200

Row: TypeAlias = Mapping[str, str]
"""Field by column, the column named in English and in lower case."""

_REQUIRED: Final = frozenset({"symbol", "date", "time", "open", "high", "low", "close"})
_POLISH: Final = {
    "data": "date",
    "czas": "time",
    "otwarcie": "open",
    "najwyzszy": "high",
    "najnizszy": "low",
    "zamkniecie": "close",
    "wolumen": "volume",
}
_NO_DATA: Final = frozenset({"N/D", "B/D"})
"""B/D is Polish, "brak danych"."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d", re.ASCII)
_PRICE: Final = re.compile(r"\d{1,12}(\.\d{1,10})?", re.ASCII)
_VOLUME: Final = re.compile(r"\d{1,18}", re.ASCII)


def read_rows(text: str) -> list[Row]:
    """Split a table into its rows; columns that we do not know are kept.

    :raises ProviderError: malformed: no usable header, no row, or a row of another length than the header.
    """
    try:
        header, *rows = filter(None, csv.reader(io.StringIO(text, newline=""), strict=True))
    except (csv.Error, ValueError) as error:  # ValueError: there is not even a header to unpack
        raise malformed("not a table") from error
    columns = [_column(title) for title in header]
    if len(set(columns)) < len(columns) or not set(columns) >= _REQUIRED:
        raise malformed("wrong columns")
    if not rows or any(len(row) != len(columns) for row in rows):
        raise malformed("no row, or a truncated one")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def symbol_of(row: Row) -> str:
    """The code in upper case, as stooq gives it whatever was asked."""
    return row["symbol"].strip().upper()


def read_quote(row: Row, symbol: str, source: str, fetched_at: datetime) -> Quote:
    """Turn one row into the quote of `symbol`.

    :raises ProviderError: not found when every field says "no data"; malformed when a field is not what it should be.
    """
    code = symbol.upper()
    if symbol_of(row) != code:
        raise malformed("the row is of another symbol")
    if _says_no_data(row):
        raise ProviderError(FailureKind.NOT_FOUND)
    return Quote(
        symbol=code,
        name=clean_name(row.get("name", "")) or code,
        open=_price(row["open"]),
        high=_price(row["high"]),
        low=_price(row["low"]),
        close=_price(row["close"]),
        volume=_volume(row.get("volume", "")),
        currency=None,
        source=source,
        as_of=_instant(row["date"], row["time"]),
        fetched_at=fetched_at,
    )


def _column(title: str) -> str:
    name = title.strip().lower()
    return _POLISH.get(name, name)


def _says_no_data(row: Row) -> bool:
    return all(text.strip() in _NO_DATA for column, text in row.items() if column not in {"symbol", "name"})


def _price(text: str) -> Decimal:
    # A pattern, because Decimal() itself takes signs, exponents, "nan", underscores and digits of other scripts.
    price = Decimal(text) if _PRICE.fullmatch(text) else Decimal(0)
    if not price:  # a price of nothing is how an outage looks like a quote
        raise malformed("not a price")
    return price


def _volume(text: str) -> int | None:
    """Empty for currencies, futures and many indices."""
    if not text:
        return None
    if not _VOLUME.fullmatch(text):
        raise malformed("not a volume")
    return int(text)


def _instant(date: str, time: str) -> datetime:
    if not (_DATE.fullmatch(date) and _TIME.fullmatch(time)):
        raise malformed("not a date and time")
    try:
        return datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=WARSAW).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # OverflowError: before the first moment of the year 1 in UTC
        raise malformed("no such date or time") from error


def clean_name(text: str) -> str:
    """Printable characters and single spaces only; empty when the row gives no name."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    name = " ".join(printable.split())[:MAX_NAME_LENGTH].strip()
    return "" if name in _NO_DATA else name
