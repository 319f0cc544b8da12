"""The messages of the hot path read and written by hand: ten times as fast as the schemas, and never otherwise.

What is not plainly right is left to the schemas, which accept more ways to write it and say what is wrong.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from stock_contract.messages import Quote, QuoteRequest
from stock_contract.symbols import MAX_SYMBOLS_PER_REQUEST, is_valid_symbol

_PRICE: Final = re.compile(r"\d{1,12}(\.\d{1,10})?", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", re.ASCII)
_MAX_VOLUME: Final = 2**63 - 1


def read_quote(data: Mapping[str, Any]) -> Quote | None:
    """The quote as `QuoteSchema` loads it; None when that has to decide."""
    try:
        quote = Quote(
            symbol=data["symbol"],
            name=data["name"],
            open=_price(data["open"]),
            high=_price(data["high"]),
            low=_price(data["low"]),
            close=_price(data["close"]),
            volume=data["volume"],
            currency=data["currency"],
            source=data["source"],
            as_of=_instant(data["as_of"]),
            fetched_at=_instant(data["fetched_at"]),
            stale=data["stale"],
            fresh_until=None if data["fresh_until"] is None else _instant(data["fresh_until"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return quote if _is_plain(quote) else None


def write_quote(quote: Quote) -> dict[str, Any]:
    """The quote as `QuoteSchema` dumps it."""
    return {
        "symbol": quote.symbol,
        "name": quote.name,
        "open": format(quote.open, "f"),
        "high": format(quote.high, "f"),
        "low": format(quote.low, "f"),
        "close": format(quote.close, "f"),
        "volume": quote.volume,
        "currency": quote.currency,
        "source": quote.source,
        "as_of": _text(quote.as_of),
        "fetched_at": _text(quote.fetched_at),
        "stale": quote.stale,
        "fresh_until": None if quote.fresh_until is None else _text(quote.fresh_until),
    }


def read_request(message: Mapping[str, Any]) -> QuoteRequest | None:
    """The request as `RequestSchema` loads it; None when that has to decide."""
    request_id, symbols = message.get("request_id"), message.get("symbols")
    if not _is_text(request_id, 64) or type(symbols) is not list or not 1 <= len(symbols) <= MAX_SYMBOLS_PER_REQUEST:
        return None
    if not all(type(symbol) is str and is_valid_symbol(symbol) for symbol in symbols):
        return None
    return QuoteRequest(request_id=str(request_id), symbols=tuple(symbols))


def _price(text: str) -> Decimal:
    if _PRICE.fullmatch(text):
        return Decimal(text)
    raise ValueError


def _instant(text: str) -> datetime:
    if _INSTANT.fullmatch(text):
        return datetime.fromisoformat(text)
    raise ValueError


def _is_plain(quote: Quote) -> bool:
    return (
        type(quote.symbol) is str
        and is_valid_symbol(quote.symbol)
        and _is_text(quote.name, 200)
        and _is_text(quote.source, 32)
        and (quote.currency is None or _is_text(quote.currency, 8))
        and (quote.volume is None or (type(quote.volume) is int and 0 <= quote.volume <= _MAX_VOLUME))
        and type(quote.stale) is bool
    )


def _is_text(value: object, longest: int) -> bool:
    return type(value) is str and 1 <= len(value) <= longest


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
