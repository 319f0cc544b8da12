"""`from` and `to` of a query: moments or days, in UTC."""

import re
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Final

from api_service import clock
from api_service.documented import Parameter
from api_service.resources import paging
from service_kit.problems import Problem

MAX_DAYS: Final = 366
"""As many days as one answer adds up: a year."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_A_DAY: Final = "a day as 2026-11-29"
A_DAY_OR_MOMENT: Final = f"{_A_DAY}, or a moment as 2026-11-29T10:00:00Z"
_ONE_DAY: Final = timedelta(days=1)
_DAY_SCHEMA: Final = {"type": "string", "format": "date"}
_DAY_OR_MOMENT_SCHEMA: Final = {
    "description": "A day, or a moment with its zone (RFC 3339)",
    "anyOf": [
        _DAY_SCHEMA | {"examples": ["2026-11-29"]},
        {"type": "string", "format": "date-time", "examples": ["2026-11-29T10:00:00Z"]},
    ],
}

PERIOD: Final = (
    Parameter(
        "from",
        "Entries asked for on this day (UTC) or later, or at this moment or later.",
        _DAY_OR_MOMENT_SCHEMA,
    ),
    Parameter(
        "to",
        "Entries asked for on this day (UTC) or earlier, or before this moment; not earlier than `from`.",
        _DAY_OR_MOMENT_SCHEMA,
    ),
)
DAYS: Final = (
    Parameter(
        "from",
        "The first day (UTC) that counts; without it, and with `to`, a year earlier than that.",
        _DAY_SCHEMA,
    ),
    Parameter(
        "to",
        "The last day (UTC) that counts; without it, and with `from`, today. It is not earlier than `from`, and the"
        f" two are at most {MAX_DAYS} days, both included.",
        _DAY_SCHEMA,
    ),
)
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


def period_of_query() -> tuple[datetime | None, datetime | None]:
    """The moment at which `from` begins, and that before which `to` ends; None where it is not there.

    `to` as a day includes that day.

    :raises Problem: 400, one of them is no day and no moment, or is there twice, or they are in the wrong order.
    """
    from_, to = _span_of_query("from"), _span_of_query("to")
    if in_wrong_order(from_, to):
        raise _wrong_order()
    return from_ and from_[0], to and to[1]


def days_of_query() -> tuple[date, date] | None:
    """The first and the last day of `from` and `to`; None when neither is there.

    Without `to` the last one is today, without `from` the first is a year earlier.

    :raises Problem: 400, one of them is no day, or is there twice, or they are in the wrong order or too far apart.
    """
    first, last = _day_of_query("from"), _day_of_query("to")
    if first is None and last is None:
        return None
    if last is None:
        last = max(clock.utc_now().date(), first or date.min)
    if first is None:
        first = date.fromordinal(max(1, last.toordinal() - MAX_DAYS + 1))
    if first > last:
        raise _wrong_order()
    if (last - first).days >= MAX_DAYS:
        what = f"From {first} to {last} are more than {MAX_DAYS} days. Give a from and a to that are closer together."
        raise Problem(HTTPStatus.BAD_REQUEST, "invalid-parameter", what)
    return first, last


def span(text: str) -> tuple[datetime, datetime]:
    """Where the day of `text` begins, and where it ends; or twice its moment.

    :raises ValueError: it is neither a day nor a moment.
    """
    try:
        if _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
            return moment, moment
        midnight = datetime.combine(_day(text), datetime.min.time(), UTC)
    except OverflowError as error:
        raise ValueError(text) from error
    return midnight, midnight + _ONE_DAY if midnight < _END_OF_TIME - _ONE_DAY else _END_OF_TIME


def in_wrong_order(from_: tuple[datetime, datetime] | None, to: tuple[datetime, datetime] | None) -> bool:
    """Whether the span `from_` begins after the span `to`; a moment may lie in the day that it is combined with."""
    return from_ is not None and to is not None and from_[0] > to[0] and from_[0] >= to[1]


def _span_of_query(name: str) -> tuple[datetime, datetime] | None:
    text = paging.single_of_query(name, A_DAY_OR_MOMENT)
    try:
        return None if text is None else span(text)
    except ValueError:
        raise paging.invalid_parameter(name, A_DAY_OR_MOMENT) from None


def _day_of_query(name: str) -> date | None:
    text = paging.single_of_query(name, _A_DAY)
    try:
        return None if text is None else _day(text)
    except ValueError:
        raise paging.invalid_parameter(name, _A_DAY) from None


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):  # the standard library takes 20261129 and 2026-W48-7 too
        raise ValueError(text)
    return date.fromisoformat(text)


def _wrong_order() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST, "invalid-parameter", "from is later than to. Give a from that is not later than to."
    )
