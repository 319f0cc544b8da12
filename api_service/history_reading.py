"""Reading what users were served: in pages, in chunks and counted; the latest first, and always by an index.

The order is that of the moments when it was asked; entries of one moment stand in the order of their ids. A place in
it is a pair of the two, so that a page deep inside costs as much as the first (https://use-the-index-luke.com/no-offset).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, RowMapping, Select, bindparam, func, select, tuple_

from api_service.column_types import UtcDateTime
from api_service.database import reading
from api_service.models import HistoryEntry

_SHOWN: Final = (
    HistoryEntry.id,
    HistoryEntry.requested_at,
    HistoryEntry.name,
    HistoryEntry.symbol,
    HistoryEntry.open,
    HistoryEntry.high,
    HistoryEntry.low,
    HistoryEntry.close,
)
COLUMNS: Final = (
    *_SHOWN,
    HistoryEntry.volume,
    HistoryEntry.currency,
    HistoryEntry.source,
    HistoryEntry.as_of,
    HistoryEntry.stale,
)

_ORDER: Final[tuple[Any, ...]] = (HistoryEntry.requested_at, HistoryEntry.id)
_CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "symbol": HistoryEntry.symbol == bindparam("symbol"),
    "start": HistoryEntry.requested_at >= bindparam("start"),
    "end": HistoryEntry.requested_at < bindparam("end"),
    "below": tuple_(*_ORDER) < tuple_(bindparam("below", type_=UtcDateTime), bindparam("below_id", type_=BigInteger)),
}
"""By the name of the parameter without which a query does not have it."""

_NEAREST: Final = (
    select(HistoryEntry.requested_at).where(HistoryEntry.id >= bindparam("id")).order_by(HistoryEntry.id).limit(1)
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries of a user; by default all. Moments are aware."""

    symbol: str | None = None
    """As entries have it, which is upper case."""
    start: datetime | None = None
    """Asked then or later."""
    end: datetime | None = None
    """Asked earlier."""


EVERYTHING: Final = Filters()


def page(
    connection: Connection, user_id: int, filters: Filters, limit: int, before: int | None = None
) -> Sequence[RowMapping]:
    """The user's latest `limit` entries; with `before`, of those that come after the entry of this id.

    An id that is no entry of the user is taken for one of them, at the moment of the next larger id that there is.
    So it tells nothing of others, a page goes on although an entry was deleted, and above all ids is the beginning.
    """
    values = _values(user_id, filters)
    moment = None if before is None else connection.scalar(_NEAREST, {"id": before})
    if moment is not None and before is not None:
        values = _below(values, moment, before)
    return connection.execute(_rows(_SHOWN, frozenset(values)), values | {"limit": limit}).mappings().all()


def chunks(user_id: int, filters: Filters, size: int) -> Iterator[Sequence[Row[Any]]]:
    """All entries, each with all `COLUMNS`, in lists of `size`; what is added meanwhile is not among them.

    Each list is a transaction of its own, so that none stays open while the caller takes its time.

    :raises DatabaseUnavailableError: a list could not be read.
    """
    values = _values(user_id, filters)
    rows: Sequence[Row[Any]] = ()
    while not rows or len(rows) == size:
        with reading() as connection:
            rows = connection.execute(_rows(COLUMNS, frozenset(values)), values | {"limit": size}).all()
        if not rows:
            return
        yield rows
        values = _below(values, rows[-1].requested_at, rows[-1].id)


def count(connection: Connection, user_id: int, filters: Filters) -> int:
    """How many entries these are; the index has them all side by side, and all of them are looked at."""
    values = _values(user_id, filters)
    return connection.scalar(_count(frozenset(values)), values) or 0


def step(
    connection: Connection, user_id: int, start: datetime, end: datetime, size: int
) -> tuple[datetime, int] | None:
    """A later moment, and how many entries are between, which is about `size`; None when they all are not so many."""
    values = {"user_id": user_id, "start": start, "end": end, "size": size}
    there = connection.execute(_NTH, values).one_or_none()
    if there is None:
        return None
    moment, entry_id = there
    ties = connection.scalar(_TIES, {"user_id": user_id, "moment": moment, "id": entry_id}) or 0
    return moment, size - ties


def _values(user_id: int, filters: Filters) -> dict[str, Any]:
    given = {name: value for name, value in asdict(filters).items() if value is not None}
    return {"user_id": user_id, **given}


def _below(values: dict[str, Any], moment: datetime, entry_id: int) -> dict[str, Any]:
    """Below that place too. With two upper bounds a planner may search by one and step over what the other hides."""
    end = values.get("end")
    if end is not None and end <= moment:
        return values
    others = {name: value for name, value in values.items() if name != "end"}
    return others | {"below": moment, "below_id": entry_id}


@cache
def _rows(columns: tuple[Any, ...], parameters: frozenset[str]) -> Select[Any]:
    latest_first = [column.desc() for column in _ORDER]
    return _where(select(*columns), parameters).order_by(*latest_first).limit(bindparam("limit"))


@cache
def _count(parameters: frozenset[str]) -> Select[Any]:
    return _where(select(func.count()).select_from(HistoryEntry), parameters)


def _where(query: Select[Any], parameters: frozenset[str]) -> Select[Any]:
    conditions = [condition for name, condition in _CONDITIONS.items() if name in parameters]
    return query.where(HistoryEntry.user_id == bindparam("user_id"), *conditions)


_NTH: Final = _where(select(*_ORDER), frozenset({"start", "end"})).order_by(*_ORDER).limit(1).offset(bindparam("size"))
_TIES: Final = _where(select(func.count()).select_from(HistoryEntry), frozenset()).where(
    HistoryEntry.requested_at == bindparam("moment"), HistoryEntry.id < bindparam("id")
)
