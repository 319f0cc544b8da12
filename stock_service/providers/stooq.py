"""Stooq: one CSV row per symbol, behind a guard against everything else that it serves with status 200.

Since 2026-06-05 the address answers 404 for every symbol; that says that stooq is out, never that a symbol is unknown.
An unknown symbol has always been a row full of `N/D`.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar, Final
from urllib.parse import quote

from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.providers.base import (
    MAX_RETRY_AFTER,
    FailureKind,
    Fetch,
    ProviderError,
    Response,
    check_status,
    excerpt,
)
from stock_service.providers.rows import WARSAW, malformed, read_quote, read_rows

_HTTP_NOT_FOUND: Final = 404

_SENTENCES: Final = (
    ("exceeded the daily hits limit", FailureKind.RATE_LIMITED),
    ("przekroczony dzienny limit", FailureKind.RATE_LIMITED),
    ("access denied", FailureKind.BLOCKED),
    ("odmowa", FailureKind.BLOCKED),
    ("write to www@stooq", FailureKind.BLOCKED),
    ("get your apikey", FailureKind.UNAUTHORISED),
    ("requires javascript to verify your browser", FailureKind.BLOCKED),
    ("/__verify", FailureKind.BLOCKED),
    ("crypto.subtle.digest", FailureKind.BLOCKED),
    ('const c="aaaa', FailureKind.BLOCKED),
)
"""What stooq says instead of a quote, in lower case. The limit comes first: it is also shown on a captcha page."""


@dataclass(frozen=True, slots=True)
class Stooq:
    """`url` is the address of the light quotes page, without a query."""

    url: str
    http: Fetch
    name: ClassVar[str] = "stooq"
    not_found_is_final: ClassVar[bool] = True

    def fetch(self, symbol: str, deadline: Deadline) -> Quote:
        response = self.http(self.url, query(symbol), deadline)
        return parse(response, symbol, datetime.now(UTC))


def query(symbol: str) -> str:
    """The query for one symbol; a whole string, because `h` stands without a value."""
    return f"s={quote(symbol.lower(), safe='')}&f=sd2t2ohlcvn&h&e=csv"


def parse(response: Response, symbol: str, fetched_at: datetime) -> Quote:
    """Read the answer to a request for one symbol.

    :raises ProviderError: it is not the quote of `symbol`; nothing else is raised, whatever the bytes.
    """
    if response.status == _HTTP_NOT_FOUND:
        raise ProviderError(FailureKind.RETIRED)
    check_status(response)
    text = response.body.decode("utf-8-sig", errors="replace")
    if not text.lower().startswith("symbol,"):
        raise _refusal(text, fetched_at)
    row, *others = read_rows(text)
    if others:
        raise malformed("more than one row")
    return read_quote(row, symbol, Stooq.name, fetched_at)


def _refusal(text: str, now: datetime) -> ProviderError:
    lowered = text.lower()
    for sentence, kind in _SENTENCES:
        if sentence in lowered:
            retry_after = _until_midnight_in_warsaw(now) if kind is FailureKind.RATE_LIMITED else None
            return ProviderError(kind, retry_after, detail=sentence)
    if lowered.lstrip().startswith("<"):
        return ProviderError(FailureKind.BLOCKED, detail="a page instead of a table")
    return malformed(f"unknown answer: {excerpt(text)}")


def _until_midnight_in_warsaw(now: datetime) -> int:
    """Seconds until the daily limit starts anew; the day on which summer time ends has an hour more than the cap."""
    tomorrow = now.astimezone(WARSAW).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time.min, WARSAW).astimezone(UTC)  # clocks may change before it
    return min(math.ceil((midnight - now).total_seconds()), MAX_RETRY_AFTER)
