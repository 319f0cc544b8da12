"""What users were served: saving it, reading it back, and counting it."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Insert, RowMapping, bindparam, func, select

from api_service.database import insert_into, reading, writing
from api_service.models import COUNT_SLOTS, HistoryEntry, StockRequestCount
from stock_contract import Failure, Quote

HISTORY_LIMIT: Final = 100
"""Entries in an answer that asks for no particular number."""

_LATEST: Final = (
    select(
        HistoryEntry.requested_at,
        HistoryEntry.name,
        HistoryEntry.symbol,
        HistoryEntry.open,
        HistoryEntry.high,
        HistoryEntry.low,
        HistoryEntry.close,
    )
    .where(HistoryEntry.user_id == bindparam("user_id"))
    .order_by(HistoryEntry.id.desc())
    .limit(bindparam("limit"))
)
_TIMES: Final = func.sum(StockRequestCount.times)
_MOST_REQUESTED: Final = (
    select(StockRequestCount.symbol, _TIMES)
    .group_by(StockRequestCount.symbol)
    .order_by(_TIMES.desc(), StockRequestCount.symbol)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class StockCount:
    """How often a stock (lower-case code) was served to anybody."""

    stock: str
    times_requested: int


def save_quotes(user_id: int, request_id: str, requested_at: datetime, results: Sequence[Quote | Failure]) -> None:
    """Save the quotes that one request is about to answer, all of them or none; when this returns they are committed.

    Each keeps its place among the results as its position; a failure leaves no row. Saving the same request again
    changes nothing.

    :raises DatabaseUnavailableError: nothing was saved.
    """
    found = [(position, quote) for position, quote in enumerate(results) if isinstance(quote, Quote)]
    if not found:
        return
    with writing() as connection:
        insert = _insert_entry(connection.dialect.name)
        added: Counter[str] = Counter()
        for position, quote in found:
            row = _row(quote) | {
                "user_id": user_id,
                "request_id": request_id,
                "position": position,
                "requested_at": requested_at,
            }
            added[quote.symbol.lower()] += connection.execute(insert, row).rowcount
        _count(connection, +added)


def history_of(user_id: int, limit: int = HISTORY_LIMIT) -> Sequence[RowMapping]:
    """The user's latest entries, the latest first, at most `limit` of them."""
    with reading() as connection:
        return connection.execute(_LATEST, {"user_id": user_id, "limit": limit}).mappings().all()


def most_requested(limit: int = 5) -> list[StockCount]:
    """The stocks that were served most often, most often first, equal ones by name."""
    with reading() as connection:
        return [
            StockCount(symbol, int(times)) for symbol, times in connection.execute(_MOST_REQUESTED, {"limit": limit})
        ]


def _row(quote: Quote) -> dict[str, Any]:
    return {
        "symbol": quote.symbol,
        "name": quote.name,
        "open": quote.open,
        "high": quote.high,
        "low": quote.low,
        "close": quote.close,
        "volume": quote.volume,
        "currency": quote.currency,
        "source": quote.source,
        "as_of": quote.as_of,
        "stale": quote.stale,
    }


@cache
def _insert_entry(dialect: str) -> Insert:
    return insert_into(HistoryEntry, dialect).on_conflict_do_nothing(
        index_elements=[HistoryEntry.request_id, HistoryEntry.position]
    )


@cache
def _upsert_count(dialect: str) -> Insert:
    insert = insert_into(StockRequestCount, dialect)
    return insert.on_conflict_do_update(
        index_elements=[StockRequestCount.symbol, StockRequestCount.slot],
        set_={"times": StockRequestCount.times + insert.excluded.times},
    )


def _count(connection: Connection, added: Counter[str]) -> None:
    upsert = _upsert_count(connection.dialect.name)
    slot = random.randrange(COUNT_SLOTS)  # noqa: S311  it spreads load, it keeps no secret
    # In one order everywhere: two batches that lock the same rows must not wait for each other in a circle.
    for symbol, times in sorted(added.items()):
        connection.execute(upsert, {"symbol": symbol, "slot": slot, "times": times})
