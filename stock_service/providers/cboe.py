"""Cboe's delayed quotes: US shares, funds and five indices; a second source without a key. It gives no names.

For an unknown code it answers 403, as it does for anything that it will not serve: that is no trustworthy "no such
symbol".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final
from urllib.parse import quote as escaped
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

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
from stock_service.providers.json_fields import as_object, price, read_object, text, volume
from stock_service.providers.symbols import CboeCode, to_cboe

NEW_YORK: Final = ZoneInfo("America/New_York")
"""`last_trade_time` is wall-clock time there."""

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_SECOND_HOST: Final = ("https", "cdn-api.cboe.com")
"""The documented address sends callers there; they are sent nowhere else."""
_HTTP_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Cboe:
    """`url` is the address of the quotes, to which `CODE.json` is added."""

    url: str
    http: Fetch
    name: ClassVar[str] = "cboe"

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        """One request for each symbol."""
        return [[symbol] for symbol in symbols if to_cboe(symbol)]

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        (symbol,) = symbols
        code = to_cboe(symbol)
        if code is None:
            raise ProviderError(FailureKind.NOT_COVERED)
        url = f"{self.url}{escaped(code.code, safe='')}.json"
        response = self.http(url, {}, deadline)
        if response.status in _REDIRECTS:
            response = self.http(redirect_target(response, url), {}, deadline, again=False)  # it is part of that try
        return {symbol: parse(response, symbol, code, datetime.now(UTC))}


def redirect_target(response: Response, url: str) -> str:
    """Where Cboe sends us: another path of the host that was asked, or its second host.

    :raises ProviderError: blocked; it would be somewhere else.
    """
    try:
        target = urljoin(url, response.headers.get("location", ""))
        origin = urlsplit(target)[:2]
    except ValueError:  # not an address at all
        origin = ("", "")
    if origin not in {tuple(urlsplit(url)[:2]), _SECOND_HOST}:
        raise ProviderError(FailureKind.BLOCKED, detail="redirect to another host")
    return target


def parse(response: Response, symbol: str, code: CboeCode, fetched_at: datetime) -> Quote:
    """Read the answer to a request for one symbol.

    :raises ProviderError: it is not the quote of `symbol`; nothing else is raised, whatever the bytes.
    """
    if response.status == _HTTP_FORBIDDEN and b"<Code>AccessDenied</Code>" in response.body:
        raise ProviderError(FailureKind.UNSURE, detail="access denied")
    check_status(response)
    data = as_object(read_object(response.body).get("data"))
    if text(data.get("symbol")).lstrip("_^").upper() != code.code.lstrip("_"):
        raise malformed("the quote is of another symbol")
    is_index = code.code.startswith("_")
    return Quote(
        symbol=symbol.upper(),
        name=symbol.upper(),
        open=price(data.get("open"), code.factor),
        high=price(data.get("high"), code.factor),
        low=price(data.get("low"), code.factor),
        close=price(data.get("current_price"), code.factor),
        volume=(volume(data.get("volume")) or None) if is_index else volume(data.get("volume")),
        currency=None if is_index else "USD",
        source=Cboe.name,
        as_of=_in_utc(data.get("last_trade_time")),
        fetched_at=fetched_at,
    )


def _in_utc(value: object) -> datetime:
    try:
        local = datetime.fromisoformat(text(value))
        if local.tzinfo is None:
            return local.replace(tzinfo=NEW_YORK).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # OverflowError: at the ends of the calendar
        raise malformed("not a time") from error
    raise malformed("a time with a zone, where there is none")
