"""Which stocks were served most often: ever, without adding up the counters of all others; or on some days.

A stock that was served n times has a counter of at least n / COUNT_SLOTS. So, with a number known that five stocks
reach, no stock is among the first five unless one of its counters has as many digits as a sixteenth of that number.
An index on the digits finds the few that can be; it costs a save nothing, because a count seldom gets another digit.

The counters of some days are added up, those of all stocks: the primary key has them side by side, by day.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Select, Subquery, bindparam, func, select
from sqlalchemy.orm import aliased

from api_service.database import reading
from api_service.models import COUNT_SLOTS, StockDayCount, StockRequestCount


@dataclass(frozen=True, slots=True)
class StockCount:
    """How often a stock (lower-case code) was served to anybody."""

    stock: str
    times_requested: int


def most_requested(limit: int = 5) -> list[StockCount]:
    """The stocks that were served most often, most often first, equal ones by name."""
    with reading() as connection:
        known = sorted(int(times) for _, times in connection.execute(_SAMPLE, {"counters": limit * COUNT_SLOTS}))
        values = {"digits": _digits_needed(known, limit), "limit": limit}
        return [StockCount(symbol, int(times)) for symbol, times in connection.execute(_MOST_REQUESTED, values)]


def most_requested_on(first: date, last: date, limit: int = 5) -> list[StockCount]:
    """As `most_requested`, of what was asked from the day `first` to the day `last`, both included, in UTC."""
    values = {"first": first, "last": last, "limit": limit}
    with reading() as connection:
        return [StockCount(symbol, int(times)) for symbol, times in connection.execute(_MOST_REQUESTED_ON, values)]


def _digits_needed(known: list[int], limit: int) -> int:
    """How many digits a counter of each of the first `limit` stocks has at least; `known` are counts, in order.

    What is added meanwhile does not matter: a number that was reached is still reached.
    """
    if len(known) < limit:
        return 0
    return len(str(-(-known[-limit] // COUNT_SLOTS)))


def _counted(symbols: Subquery) -> Select[Any]:
    """Each symbol with its count. As a join, PostgreSQL would read the counters of all others too."""
    own = aliased(StockRequestCount)
    times = select(func.sum(own.times)).where(own.symbol == symbols.c.symbol).scalar_subquery()
    return select(symbols.c.symbol, times.label("times"))


_LONGEST: Final = (
    select(StockRequestCount.symbol).order_by(StockRequestCount.digits.desc()).limit(bindparam("counters")).subquery()
)
_SAMPLE: Final = _counted(select(_LONGEST.c.symbol).distinct().subquery())
"""Five stocks at least, if there are so many: 80 counters cannot be those of four."""

_BY_DIGITS: Final = (
    select(StockRequestCount.symbol)
    .where(StockRequestCount.digits >= bindparam("digits"))
    .order_by(StockRequestCount.digits.desc())
    .limit(2**31 - 1)  # none, but with one SQLite goes by the digits, and else reads all counters by symbol
    .subquery()
)
_CANDIDATES: Final = select(_BY_DIGITS.c.symbol).distinct().subquery()
_COUNTED_CANDIDATES: Final = _counted(_CANDIDATES)
_MOST_REQUESTED: Final = _COUNTED_CANDIDATES.order_by(
    _COUNTED_CANDIDATES.selected_columns.times.desc(), _CANDIDATES.c.symbol
).limit(bindparam("limit"))

_TIMES_ON_DAYS: Final = func.sum(StockDayCount.times)
_MOST_REQUESTED_ON: Final = (
    select(StockDayCount.symbol, _TIMES_ON_DAYS)
    .where(StockDayCount.day.between(bindparam("first"), bindparam("last")))
    .group_by(StockDayCount.symbol)
    .order_by(_TIMES_ON_DAYS.desc(), StockDayCount.symbol)
    .limit(bindparam("limit"))
)
