"""The symbol map: how each provider writes the codes of callers, and which it does not cover."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_contract import is_valid_symbol
from stock_service.providers.symbols import CboeCode, TwelveDataCode, YahooCode, to_cboe, to_twelvedata, to_yahoo

TABLE = [
    # code, Yahoo, Cboe, Twelve Data
    ("aapl.us", "AAPL", "AAPL", "AAPL"),
    ("AAPL.US", "AAPL", "AAPL", "AAPL"),
    ("brk-b.us", "BRK-B", "BRK.B", "BRK.B"),
    ("brk.b.us", "BRK-B", "BRK.B", "BRK.B"),
    ("tsco.uk", "TSCO.L", None, "TSCO XLON"),
    ("bt-a.uk", "BT-A.L", None, "BT.A XLON"),
    ("sap.de", "SAP.DE", None, "SAP XETR"),
    ("7203.jp", "7203.T", None, None),
    ("700.hk", "0700.HK", None, None),
    ("5.hk", "0005.HK", None, None),
    ("00700.hk", "0700.HK", None, None),
    ("80700.hk", "80700.HK", None, None),
    ("otp.hu", "OTP.BD", None, None),
    ("cdr.pl", "CDR.WA", None, None),
    ("mc.fr", "MC.PA", None, None),
    ("asml.nl", "ASML.AS", None, None),
    ("eni.it", "ENI.MI", None, None),
    ("san.es", "SAN.MC", None, None),
    ("nesn.ch", "NESN.SW", None, None),
    ("ry.ca", "RY.TO", None, None),
    ("^spx", "^GSPC", "_SPX", None),
    ("^ndx", "^NDX", "_NDX", None),
    ("^ndq", "^IXIC", None, None),
    ("^dji", "^DJI", "_DJX", None),
    ("^rut", "^RUT", "_RUT", None),
    ("^vix", "^VIX", "_VIX", None),
    ("^dax", "^GDAXI", None, None),
    ("^ukx", "^FTSE", None, None),
    ("^cac", "^FCHI", None, None),
    ("^nkx", "^N225", None, None),
    ("^hsi", "^HSI", None, None),
    ("^kospi", "^KS11", None, None),
    ("^shc", "000001.SS", None, None),
    ("wig20", "WIG20.WA", None, None),
    ("eurusd", "EURUSD=X", None, "EUR/USD"),
    ("USDJPY", "USDJPY=X", None, "USD/JPY"),
    ("btc.v", "BTC-USD", None, "BTC/USD"),
    ("btcusd", "BTC-USD", None, "BTC/USD"),
    ("cl.f", "CL=F", None, None),
    ("gc.f", "GC=F", None, None),
    ("cb.f", "BZ=F", None, None),
    ("dx.f", "DX-Y.NYB", None, None),
    ("10us.b", "^TNX", None, None),
]


@pytest.mark.parametrize(("symbol", "yahoo", "cboe", "twelvedata"), TABLE)
def test_the_map(symbol: str, yahoo: str | None, cboe: str | None, twelvedata: str | None) -> None:
    at_cboe, at_twelvedata = to_cboe(symbol), to_twelvedata(symbol)

    assert to_yahoo(symbol) == (yahoo and YahooCode(yahoo))
    assert (at_cboe and at_cboe.code) == cboe
    assert (at_twelvedata and " ".join(filter(None, (at_twelvedata.code, at_twelvedata.market)))) == twelvedata


def test_the_dow_is_a_hundred_times_what_cboe_has() -> None:
    assert to_cboe("^dji") == CboeCode("_DJX", Decimal(100))
    assert to_cboe("^spx") == CboeCode("_SPX", Decimal(1))


@pytest.mark.parametrize("symbol", ["cdr", "PKO", "11b"])
def test_a_bare_code_of_three_is_taken_for_warsaw_but_not_for_sure(symbol: str) -> None:
    assert to_yahoo(symbol) == YahooCode(f"{symbol.upper()}.WA", sure=False)
    assert to_cboe(symbol) is None
    assert to_twelvedata(symbol) is None


@pytest.mark.parametrize(
    "symbol",
    [
        "aapl",  # four letters are no code of Warsaw
        "wig",
        "usd",
        "btc",
        "eth.v",
        "xauusd",
        "xagusd",
        "eurxxx",
        "eurusdx",
        "^",
        "^xyz",
        "zz.f",
        "10de.b",
        "bac_l.us",
        "^a.us",
        "a=b.us",
        "EURUSD=X",
        "aapl.",
        "aapl.xx",
        "aapl.us.us.us",
        "abcdefghijk.us",
    ],
)
def test_what_is_not_known_for_certain_is_not_covered(symbol: str) -> None:
    assert (to_yahoo(symbol), to_cboe(symbol), to_twelvedata(symbol)) == (None, None, None)


@given(st.from_regex(r"[A-Za-z0-9^][A-Za-z0-9.^_=-]{0,19}", fullmatch=True))
def test_any_valid_code_gives_a_plain_code_or_none(symbol: str) -> None:
    assert is_valid_symbol(symbol)
    plain = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-=^_/")
    for code in (to_yahoo(symbol), to_cboe(symbol), to_twelvedata(symbol)):
        assert isinstance(code, YahooCode | CboeCode | TwelveDataCode | None)
        assert code is None or (code.code and set(code.code) <= plain)
