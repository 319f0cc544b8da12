"""Twelve Data: complete quotes, many in one request, with a key; what the plan lacks, it calls unknown too.

Errors are JSON objects with a `code` of their own; the HTTP status may be 200 all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Final

from service_kit.deadline import Deadline
from stock_contract import MAX_SYMBOLS_PER_REQUEST, Quote
from stock_service.providers.base import (
    FailureKind,
    Fetch,
    Outcomes,
    ProviderError,
    Response,
    check_status,
    malformed,
    outcome_of,
)
from stock_service.providers.json_fields import as_object, currency, epoch, price, read_object, text, volume
from stock_service.providers.rows import clean_name
from stock_service.providers.symbols import TwelveDataCode, to_twelvedata

_KINDS: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.UNSURE,  # no data
    401: FailureKind.UNAUTHORISED,
    402: FailureKind.PLAN,
    403: FailureKind.PLAN,
    429: FailureKind.RATE_LIMITED,
}
_UNKNOWN_CODE: Final = 404
_UNKNOWN: Final = "missing or invalid"
"""In the text of a 404 for a symbol that does not exist; one for a symbol of a dearer plan has the same code."""

_MINUTE: Final = 60
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class TwelveData:
    """`url` is the address of the API, to which `quote` is added; `key` goes into a header only."""

    url: str
    key: str = field(repr=False)
    http: Fetch
    name: ClassVar[str] = "twelvedata"

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        """One request for each market, because the market is a parameter of the whole request."""
        by_market: dict[str | None, list[str]] = {}
        for symbol in symbols:
            if code := to_twelvedata(symbol):
                by_market.setdefault(code.market, []).append(symbol)
        size = MAX_SYMBOLS_PER_REQUEST
        return [batch[start : start + size] for batch in by_market.values() for start in range(0, len(batch), size)]

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        codes = {symbol: code for symbol in symbols if (code := to_twelvedata(symbol))}
        headers = {"Authorization": f"apikey {self.key}"}
        response = self.http(self.url + "quote", query(list(codes.values())), deadline, headers=headers)
        return parse(response, codes, datetime.now(UTC))


def query(codes: Sequence[TwelveDataCode]) -> Mapping[str, str]:
    """The parameters for a batch, all of one market."""
    (market,) = {code.market for code in codes}
    symbols = {"symbol": ",".join(code.code for code in codes)}
    return symbols if market is None else symbols | {"mic_code": market}


def parse(response: Response, codes: Mapping[str, TwelveDataCode], fetched_at: datetime) -> Outcomes:
    """Read the answer to a request for `codes` (by symbol): the quote of a single one, or an object of quotes by code.

    :raises ProviderError: the request as a whole failed; nothing else is raised, whatever the bytes.
    """
    message = _message(response)
    if len(codes) == 1:
        message = {code.code: message for code in codes.values()}
    elif _is_error(message):
        raise _error(message, sure=False)
    return {
        symbol: outcome_of(partial(_quote, message.get(code.code), symbol, code, fetched_at))
        for symbol, code in codes.items()
    }


def _message(response: Response) -> Mapping[str, Any]:
    try:
        message = read_object(response.body)
    except ProviderError:
        check_status(response)  # a page of some server before theirs
        raise
    if not _is_error(message):
        check_status(response)
    return message


def _is_error(message: Mapping[str, Any]) -> bool:
    return message.get("status") == "error"


def _error(message: Mapping[str, Any], *, sure: bool) -> ProviderError:
    """What an error means; `sure` tells that a symbol would be known if it existed."""
    code, words = message.get("code"), text(message.get("message"))
    if not isinstance(code, int) or not 0 < code < 600:  # noqa: PLR2004
        return malformed("an error without a code")
    detail = f"code {code}"
    if code == _UNKNOWN_CODE and _UNKNOWN in words:
        return ProviderError(FailureKind.NOT_FOUND if sure else FailureKind.UNSURE, detail=detail)
    if code == _UNKNOWN_CODE:
        return ProviderError(FailureKind.PLAN, detail=detail)
    kind = _KINDS.get(code, FailureKind.UNREACHABLE if code >= 500 else FailureKind.MALFORMED)  # noqa: PLR2004
    return ProviderError(kind, _wait(words) if kind is FailureKind.RATE_LIMITED else None, detail)


def _wait(words: str) -> int:
    """Seconds until the credits are back. When their day begins is not documented, so it is tried once an hour."""
    return _HOUR if "for the day" in words else _MINUTE


def _quote(value: object, symbol: str, code: TwelveDataCode, fetched_at: datetime) -> Quote:
    entry = as_object(value)
    if _is_error(entry):
        raise _error(entry, sure=code.market is None)
    if text(entry.get("symbol")).upper() != code.code:
        raise malformed("the quote is of another symbol")
    return Quote(
        symbol=symbol.upper(),
        name=clean_name(text(entry.get("name"))) or symbol.upper(),
        open=price(entry.get("open")),
        high=price(entry.get("high")),
        low=price(entry.get("low")),
        close=price(entry.get("close")),
        # during the session the figure is that of one venue, a thirtieth of the whole
        volume=None if entry.get("is_market_open") is True else volume(entry.get("volume")),
        currency=currency(entry.get("currency")),
        source=TwelveData.name,
        as_of=epoch(entry.get("last_quote_at")),  # `timestamp` is the start of the session
        fetched_at=fetched_at,
    )
