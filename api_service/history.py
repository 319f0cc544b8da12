"""Saving what users were served, with its counts; `history_reading` reads it back."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final, TypeAlias

from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningInsert

from api_service import metrics, postgresql_saves
from api_service.database import DatabaseUnavailableError, db, insert_into, written
from api_service.grouped_saves import GroupedSaves
from api_service.idempotency import OneCall, Results, claim
from api_service.models import COUNT_SLOTS, HistoryEntry, StockDayCount, StockRequestCount
from service_kit import time_budget
from service_kit.deadline import Deadline
from stock_contract import Quote

_GROUPED_SAVES: Final = "grouped_saves"
_Rows: TypeAlias = list[dict[str, Any]]
"""Of one request."""


def save_quotes(
    user_id: int, request_id: str, requested_at: datetime, results: Results, call: OneCall | None = None
) -> Results | None:
    """Save the quotes that one request is about to answer, all of them or none; when this returns they are committed.

    Each keeps its place among the results as its position; a failure leaves no row. Saving the same request again
    changes nothing. Returns None; or, when `call` was answered before, what it was answered with, and nothing of this
    request is saved.

    :raises DatabaseUnavailableError: nothing was saved.
    :raises KeyReusedError: nothing was saved, the key of `call` names another call.
    """
    found = [(position, quote) for position, quote in enumerate(results) if isinstance(quote, Quote)]
    if not found and call is None:
        return None
    request = {"user_id": user_id, "request_id": request_id, "requested_at": requested_at}
    rows = [_row(quote) | request | {"position": position} for position, quote in found]
    if call is None:
        _grouped_saves()(rows, Deadline.after(time_budget.DATABASE_SAVE))
        return None

    def save(connection: Connection) -> Results | None:
        earlier = claim(connection, call, request_id, datetime.now(UTC), results)
        if earlier is None:
            _add(connection, rows)
        return earlier

    with metrics.Saving(1, DatabaseUnavailableError):
        return written(save)


def _grouped_saves() -> GroupedSaves[_Rows]:
    """Those of this application. SQLite takes one writer at a time; on PostgreSQL one that must wait holds up half."""
    saves: GroupedSaves[_Rows] | None = current_app.extensions.get(_GROUPED_SAVES)
    if saves is None:
        fresh = GroupedSaves(_save_all, at_once=1 if db.engine.dialect.name == "sqlite" else 2)
        saves = current_app.extensions.setdefault(_GROUPED_SAVES, fresh)
    return saves


def _save_all(requests: Sequence[_Rows], deadline: Deadline) -> None:
    rows = [row for request in requests for row in request]
    with metrics.Saving(len(requests), DatabaseUnavailableError):
        written(lambda connection: _add(connection, rows), deadline)


def _add(connection: Connection, rows: _Rows) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        added = connection.execute(_insert_entries(), rows)
        count_served(connection, Counter((asked.astimezone(UTC).date(), symbol.lower()) for asked, symbol in added))
    else:
        postgresql_saves.add_counted(connection, rows, _random_slot())


def _random_slot() -> int:
    """Where a transaction counts, so that those of one moment seldom wait for each other's rows."""
    return random.randrange(COUNT_SLOTS)  # noqa: S311  it spreads load, it keeps no secret


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


# RETURNING makes SQLAlchemy send a list of rows as one statement with many VALUES.
# https://docs.sqlalchemy.org/en/20/core/connections.html#insert-many-values-behavior-for-insert-statements


@cache
def _insert_entries() -> ReturningInsert[datetime, str]:
    """Returns when it was asked and the symbol of each row that was not there yet."""
    insert = insert_into(HistoryEntry, "sqlite")
    return insert.on_conflict_do_nothing(index_elements=[HistoryEntry.request_id, HistoryEntry.position]).returning(
        HistoryEntry.requested_at, HistoryEntry.symbol
    )


@cache
def _upsert_counts(dialect: str) -> ReturningInsert[str]:
    insert = insert_into(StockRequestCount, dialect)
    return insert.on_conflict_do_update(
        index_elements=[StockRequestCount.symbol, StockRequestCount.slot],
        set_={"times": StockRequestCount.times + insert.excluded.times},
    ).returning(StockRequestCount.symbol)


@cache
def _upsert_day_counts(dialect: str) -> ReturningInsert[str]:
    insert = insert_into(StockDayCount, dialect)
    return insert.on_conflict_do_update(
        index_elements=[StockDayCount.day, StockDayCount.symbol, StockDayCount.slot],
        set_={"times": StockDayCount.times + insert.excluded.times},
    ).returning(StockDayCount.symbol)


def count_served(connection: Connection, added: Counter[tuple[date, str]]) -> None:
    """Count what was added to the history in this transaction: by its day in UTC, and its code in lower case.

    Saves on PostgreSQL count in the statement that adds the rows, by the same rule (`postgresql_saves`).
    """
    if not added:
        return
    slot = _random_slot()
    of_all_days: Counter[str] = Counter()
    for (_, symbol), times in added.items():
        of_all_days[symbol] += times
    # In one order everywhere: two batches that lock the same rows must not wait for each other in a circle.
    counts = [{"symbol": symbol, "slot": slot, "times": times} for symbol, times in sorted(of_all_days.items())]
    # On SQLite one writes at a time; without slots there are fewer rows to add up.
    of_day = 0 if connection.dialect.name == "sqlite" else slot
    days = [{"day": day, "symbol": symbol, "slot": of_day, "times": n} for (day, symbol), n in sorted(added.items())]
    connection.execute(_upsert_counts(connection.dialect.name), counts)
    connection.execute(_upsert_day_counts(connection.dialect.name), days)
