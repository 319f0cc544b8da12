"""Stooq: one CSV row per symbol, behind a guard against everything else that it serves with status 200.

Since 2026-06-05 the address answers 404 for every symbol; that says that stooq is out, never that a symbol is unknown.
An unknown symbol has always been a row full of `N/D`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar, Final
from urllib.parse import quote

from service_kit.deadline import Deadline
from stock_contract import MAX_SYMBOLS_PER_REQUEST, Quote
from stock_service.providers.base import (
    MAX_RETRY_AFTER,
    FailureKind,
    Fetch,
    Outcomes,
    ProviderError,
    Response,
    check_status,
    excerpt,
    malformed,
    outcome_of,
)
from stock_service.providers.rows import WARSAW, Row, read_quote, read_rows, symbol_of

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

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        """All of them, it covers the world; above about a hundred a request it drops rows without a word."""
        size = MAX_SYMBOLS_PER_REQUEST
        return [symbols[start : start + size] for start in range(0, len(symbols), size)]

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        response = self.http(self.url, query(symbols), deadline)
        return parse(response, symbols, datetime.now(UTC))


def query(symbols: Sequence[str]) -> str:
    """The query for a batch; a whole string, because `h` stands without a value and codes are joined by a bare `+`."""
    codes = "+".join(quote(symbol.lower(), safe="") for symbol in symbols)
    return f"s={codes}&f=sd2t2ohlcvn&h&e=csv"


def parse(response: Response, symbols: Sequence[str], fetched_at: datetime) -> Outcomes:
    """Read the answer to a request for `symbols`.

    :raises ProviderError: it is no table of these symbols; nothing else is raised, whatever the bytes.
    """
    if response.status == _HTTP_NOT_FOUND:
        raise ProviderError(FailureKind.RETIRED)
    check_status(response)
    text = response.body.decode("utf-8-sig", errors="replace")
    if not text.lower().startswith("symbol,"):
        raise _refusal(text, fetched_at)
    rows = read_rows(text)
    by_symbol = {symbol_of(row): row for row in rows}
    if len(by_symbol) < len(rows) or not by_symbol.keys() <= {symbol.upper() for symbol in symbols}:
        raise malformed("rows that were not asked for")
    return {symbol: _outcome(by_symbol.get(symbol.upper()), symbol, fetched_at) for symbol in symbols}


def _outcome(row: Row | None, symbol: str, fetched_at: datetime) -> Quote | ProviderError:
    if row is None:
        return malformed("no row")
    return outcome_of(lambda: read_quote(row, symbol, Stooq.name, fetched_at))


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
