"""Yahoo's chart: the only source without a key that has world markets, indices and currencies, with name and currency.

Its daily bars of the last five days are asked for: the open of the day stands in the last bar and nowhere else. A 404
with Yahoo's own JSON is a trustworthy "no such symbol"; some codes get a 200 that is hollow instead.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote as escaped

from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.providers.base import (
    FailureKind,
    Fetch,
    Outcomes,
    ProviderError,
    Response,
    check_status,
    malformed,
)
from stock_service.providers.json_fields import as_object, currency, epoch, price, read_object, text, volume
from stock_service.providers.rows import clean_name
from stock_service.providers.symbols import YahooCode, to_yahoo

QUERY: Final = "range=5d&interval=1d"
_HTTP_NOT_FOUND: Final = 404
_A_DAY_AND_MORE: Final = 100_000
"""Seconds; no clock is further from UTC."""


@dataclass(frozen=True, slots=True)
class Yahoo:
    """`url` is the address of the charts, to which the code is added."""

    url: str
    http: Fetch
    name: ClassVar[str] = "yahoo"

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        """One request for each symbol."""
        return [[symbol] for symbol in symbols if to_yahoo(symbol)]

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        (symbol,) = symbols
        code = to_yahoo(symbol)
        if code is None:
            raise ProviderError(FailureKind.NOT_COVERED)
        url = self.url + escaped(code.code, safe="")
        response = self.http(url, QUERY, deadline, second_url=_at_other_host(url))
        return {symbol: parse(response, symbol, code, datetime.now(UTC))}


def _at_other_host(url: str) -> str | None:
    """Two hosts serve the same; when one says 429, the other may not. None when the address is not one of theirs."""
    return url.replace("//query1.", "//query2.", 1) if "//query1." in url else None


def parse(response: Response, symbol: str, code: YahooCode, fetched_at: datetime) -> Quote:
    """Read the answer to a request for one symbol.

    :raises ProviderError: it is not the quote of `symbol`; nothing else is raised, whatever the bytes.
    """
    if response.status == _HTTP_NOT_FOUND and _says_not_found(response.body):
        raise ProviderError(FailureKind.NOT_FOUND if code.sure else FailureKind.UNSURE)
    check_status(response)
    chart = _only(as_object(read_object(response.body).get("chart")).get("result"))
    meta = as_object(chart.get("meta"))
    if meta.get("regularMarketPrice") is None:
        raise ProviderError(FailureKind.UNSURE, detail="hollow")
    if text(meta.get("symbol")).upper() != code.code.upper():
        raise malformed("the chart is of another symbol")
    bar = _bar_of_the_day(chart, meta)
    return Quote(
        symbol=symbol.upper(),
        name=clean_name(text(meta.get("longName")) or text(meta.get("shortName"))) or symbol.upper(),
        open=_bar_price(bar.get("open")),
        high=_meta_or_bar(meta.get("regularMarketDayHigh"), bar.get("high")),
        low=_meta_or_bar(meta.get("regularMarketDayLow"), bar.get("low")),
        close=price(meta["regularMarketPrice"]),
        volume=volume(meta.get("regularMarketVolume")),
        currency=currency(meta.get("currency")),
        source=Yahoo.name,
        as_of=epoch(meta.get("regularMarketTime")),
        fetched_at=fetched_at,
    )


def _says_not_found(body: bytes) -> bool:
    try:
        error = as_object(as_object(read_object(body).get("chart")).get("error"))
    except ProviderError:  # some other page: an outage, as there have been short ones
        return False
    return error.get("code") == "Not Found"


def _only(value: object) -> Mapping[str, Any]:
    if not isinstance(value, list) or len(value) != 1:
        raise malformed("not one chart")
    return as_object(value[0])


def _bar_of_the_day(chart: Mapping[str, Any], meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Open, high and low of the session that the price is of.

    With daily bars that is the last one, if it is of the same day on the market's clock: a bar of another day has the
    open of another day. With shorter ones (`range=1d`) the open is the first that there is.
    """
    times = _column(chart, "timestamp")
    table = _only(as_object(chart.get("indicators")).get("quote"))
    opens, highs, lows = (_column(table, name, len(times)) for name in ("open", "high", "low"))
    if _is_intraday(meta):
        return {"open": next((value for value in opens if value is not None), None)}
    if meta.get("dataGranularity") != "1d" or _day(times[-1], meta) != _day(meta.get("regularMarketTime"), meta):
        raise malformed("no bar of the day")
    return {"open": opens[-1], "high": highs[-1], "low": lows[-1]}


def _column(table: Mapping[str, Any], name: str, length: int | None = None) -> list[Any]:
    column = table.get(name)
    if not isinstance(column, list) or not column or len(column) != (length or len(column)):
        raise malformed("no bars, or some that do not belong together")
    return column


def _is_intraday(meta: Mapping[str, Any]) -> bool:
    return text(meta.get("dataGranularity"))[-1:] in ("m", "h") and meta.get("range") == "1d"


def _day(seconds: object, meta: Mapping[str, Any]) -> object:
    offset = meta.get("gmtoffset", 0)
    if not isinstance(offset, int) or abs(offset) > _A_DAY_AND_MORE:
        raise malformed("not an offset")
    return (epoch(seconds) + timedelta(seconds=offset)).date()


def _meta_or_bar(in_meta: object, in_bar: object) -> Decimal:
    return _bar_price(in_bar) if in_meta is None else price(in_meta)


def _bar_price(value: object) -> Decimal:
    """A price out of a bar, without the noise: bars are 32-bit floats, written out with the digits of 64-bit ones."""
    exact = price(value)
    wide = float(value if isinstance(value, Decimal) else exact)
    if _narrow(wide) != wide:
        return exact
    shortest = (Decimal(f"{wide:.{digits}g}") for digits in range(6, 10))
    return price(next(number for number in shortest if _narrow(float(number)) == wide))


def _narrow(number: float) -> float:
    narrowed: float = struct.unpack("f", struct.pack("f", number))[0]
    return narrowed
