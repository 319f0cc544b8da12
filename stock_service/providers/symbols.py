"""The symbol map: a code as stooq writes it (which is what callers use) to the codes of the other providers.

Every function takes a valid code in any case and returns None when the provider does not cover it, or when it is not
known how the provider writes it. docs/providers.md shows the map as a table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class YahooCode:
    code: str
    sure: bool = True
    """False when the market was guessed: that Yahoo does not know such a code says nothing about the symbol."""


@dataclass(frozen=True, slots=True)
class CboeCode:
    code: str
    factor: Decimal = Decimal(1)
    """What Cboe's prices are multiplied by to be those of the symbol."""


@dataclass(frozen=True, slots=True)
class TwelveDataCode:
    code: str
    market: str | None = None
    """The market's identifier code (ISO 10383) where the code alone would mean a US share."""


_BASE: Final = re.compile(r"[a-z0-9]{1,10}([-.][a-z0-9]{1,4})?", re.ASCII)
_WARSAW_SHARE: Final = re.compile(r"[a-z0-9]{3}", re.ASCII)

# fmt: off
_CURRENCIES: Final = frozenset({
    "aud", "brl", "cad", "chf", "clp", "cny", "czk", "dkk", "eur", "gbp", "hkd",
    "huf", "idr", "ils", "inr", "isk", "jpy", "krw", "mxn", "myr", "nok", "nzd",
    "php", "pln", "ron", "rub", "sek", "sgd", "thb", "try", "twd", "usd", "zar",
})
# fmt: on
_COINS: Final[Mapping[str, str]] = {"btc.v": "BTC", "btcusd": "BTC"}
_NO_SHARES: Final = _CURRENCIES | {"btc", "eth", "wig"}
"""Three letters that are not the code of a share in Warsaw; `wig` is the index."""

_YAHOO_SUFFIXES: Final[Mapping[str, str]] = {
    "us": "",
    "uk": ".L",
    "de": ".DE",
    "jp": ".T",
    "hk": ".HK",
    "hu": ".BD",
    "pl": ".WA",
    "fr": ".PA",
    "nl": ".AS",
    "it": ".MI",
    "es": ".MC",
    "ch": ".SW",
    "ca": ".TO",
}
_YAHOO_CODES: Final[Mapping[str, str]] = {
    "^spx": "^GSPC",
    "^ndx": "^NDX",
    "^ndq": "^IXIC",
    "^dji": "^DJI",
    "^rut": "^RUT",
    "^vix": "^VIX",
    "^dax": "^GDAXI",
    "^ukx": "^FTSE",
    "^cac": "^FCHI",
    "^nkx": "^N225",
    "^hsi": "^HSI",
    "^kospi": "^KS11",
    "^shc": "000001.SS",
    "wig20": "WIG20.WA",
    "cl.f": "CL=F",
    "gc.f": "GC=F",
    "cb.f": "BZ=F",
    "dx.f": "DX-Y.NYB",
    "10us.b": "^TNX",  # the yield in percent
}
_CBOE_CODES: Final[Mapping[str, CboeCode]] = {
    "^spx": CboeCode("_SPX"),
    "^ndx": CboeCode("_NDX"),
    "^dji": CboeCode("_DJX", Decimal(100)),  # DJX is a hundredth of the Dow
    "^rut": CboeCode("_RUT"),
    "^vix": CboeCode("_VIX"),
}
_TWELVEDATA_MARKETS: Final[Mapping[str, str | None]] = {"us": None, "uk": "XLON", "de": "XETR"}


def to_yahoo(symbol: str) -> YahooCode | None:
    """The code in Yahoo's chart address; shares of the markets with a known suffix, and what is in the tables."""
    symbol = symbol.lower()
    if symbol in _YAHOO_CODES:
        return YahooCode(_YAHOO_CODES[symbol])
    if symbol in _COINS:
        return YahooCode(f"{_COINS[symbol]}-USD")
    if _is_pair(symbol):
        return YahooCode(f"{symbol.upper()}=X")
    if _WARSAW_SHARE.fullmatch(symbol) and symbol not in _NO_SHARES:
        return YahooCode(f"{symbol.upper()}.WA", sure=False)
    base, market = _split(symbol)
    if market not in _YAHOO_SUFFIXES:
        return None
    if market == "hk":
        base = base.lstrip("0").zfill(4)
    return YahooCode(base.replace(".", "-").upper() + _YAHOO_SUFFIXES[market])


def to_cboe(symbol: str) -> CboeCode | None:
    """The code in Cboe's address: US shares and funds, and five indices."""
    symbol = symbol.lower()
    if symbol in _CBOE_CODES:
        return _CBOE_CODES[symbol]
    base, market = _split(symbol)
    return CboeCode(base.replace("-", ".").upper()) if market == "us" else None


def to_twelvedata(symbol: str) -> TwelveDataCode | None:
    """The code in Twelve Data's query: what the free plan has, and the two other markets whose form is known."""
    symbol = symbol.lower()
    if symbol in _COINS:
        return TwelveDataCode(f"{_COINS[symbol]}/USD")
    if _is_pair(symbol):
        return TwelveDataCode(f"{symbol[:3]}/{symbol[3:]}".upper())
    base, market = _split(symbol)
    if market not in _TWELVEDATA_MARKETS:
        return None
    return TwelveDataCode(base.replace("-", ".").upper(), _TWELVEDATA_MARKETS[market])


def _is_pair(symbol: str) -> bool:
    return len(symbol) == 6 and {symbol[:3], symbol[3:]} <= _CURRENCIES  # noqa: PLR2004  two codes of three letters


def _split(symbol: str) -> tuple[str, str]:
    """The code without its market, and the market; the market is empty when there is none or the rest is no share."""
    base, _, market = symbol.rpartition(".")
    return (base, market) if _BASE.fullmatch(base) else (symbol, "")
