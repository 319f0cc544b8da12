"""What every recorded answer of a provider is taken for: our own samples, and a larger collection where there is one.

The samples say in their names what they are: `ok_...` or the kind of failure. The collection is looked for in the
folder that PROVIDER_FIXTURES names, else beside the repository; each of its files must stand in `COLLECTED` below.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from stock_contract import Quote, dump_quote, load_quote
from stock_service.providers import cboe, stooq, twelvedata, yahoo
from stock_service.providers.base import FailureKind, Outcomes, ProviderError, Response
from stock_service.providers.symbols import to_cboe, to_twelvedata, to_yahoo

NOW = datetime(2026, 11, 12, 21, 15, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"
COLLECTION = Path(
    os.environ.get("PROVIDER_FIXTURES") or Path(__file__).parents[3] / "shared" / "fixtures" / "providers"
)


def parse(provider: str, response: Response, *symbols: str) -> Outcomes:
    """The parser of one provider, for the symbols given in the form of callers."""
    if provider == "stooq":
        return stooq.parse(response, symbols, NOW)
    if provider == "twelvedata":
        return twelvedata.parse(response, {s: code for s in symbols if (code := to_twelvedata(s))}, NOW)
    (symbol,) = symbols
    if provider == "yahoo":
        at_yahoo = to_yahoo(symbol)
        assert at_yahoo
        return {symbol: yahoo.parse(response, symbol, at_yahoo, NOW)}
    at_cboe = to_cboe(symbol)
    assert at_cboe
    return {symbol: cboe.parse(response, symbol, at_cboe, NOW)}


def outcomes(provider: str, response: Response, *symbols: str) -> list[str]:
    """Each symbol's close, or the kind of its failure."""
    try:
        parsed = parse(provider, response, *symbols)
    except ProviderError as error:
        parsed = dict.fromkeys(symbols, error)
    assert list(parsed) == list(symbols)
    for outcome in parsed.values():
        assert isinstance(outcome, ProviderError) or load_quote(dump_quote(outcome)) == outcome
    return [str(getattr(outcome, "close", None) or getattr(outcome, "kind", None)) for outcome in parsed.values()]


STATUSES = {
    "yahoo/not_found.json": 404,
    "cboe/unsure_access_denied.xml": 403,
    "cboe/blocked_page.html": 403,
    "twelvedata/not_found.json": 404,
}
ASKED = {"stooq": "aapl.us", "yahoo": "tsco.uk", "cboe": "msft.us", "twelvedata": "msft.us"}
KINDS = sorted(FailureKind, key=len, reverse=True)
FAILURES = [
    (path.relative_to(SAMPLES), kind)
    for path in sorted(SAMPLES.glob("*/*"))
    for kind in KINDS
    if path.name.startswith(kind)
]


def test_there_are_samples_of_every_provider() -> None:
    assert {path.parts[0] for path, _ in FAILURES} == set(ASKED)
    assert len(FAILURES) > 40


@pytest.mark.parametrize(("path", "kind"), FAILURES, ids=[str(path) for path, _ in FAILURES])
def test_a_sample_of_a_failure_is_of_the_kind_in_its_name(path: Path, kind: FailureKind) -> None:
    provider = path.parts[0]
    response = Response(STATUSES.get(path.as_posix(), 200), (SAMPLES / path).read_bytes())

    assert outcomes(provider, response, ASKED[provider]) == [kind]


COLLECTED: Mapping[str, tuple[list[str], list[str]]] = {
    "stooq/ok_aapl_2021-11-12.csv": (["aapl.us"], ["149.99"]),
    "stooq/unknown_toxi.ds.csv": (["toxi.ds"], ["not_found"]),
    "stooq/ok_aapl_2022-03-21.csv": (["aapl.us"], ["165.38"]),
    "stooq/ok_aapl_2022-04-29.csv": (["aapl.us"], ["157.65"]),
    "stooq/ok_aapl_2023-09-15.csv": (["aapl.us"], ["175.01"]),
    "stooq/ok_aapl_2023-11-27.csv": (["aapl.us"], ["189.79"]),
    "stooq/ok_acu.us_integer_price_2024-05-16.csv": (["acu.us"], ["40.01"]),
    "stooq/ok_aapl_2025-09-26.csv": (["aapl.us"], ["255.46"]),
    "stooq/ok_gldm_2026-04-24.csv": (["gldm.us"], ["93.33"]),
    "stooq/ok_ukx_empty_volume_2026-04-21.csv": (["^ukx"], ["8123.45"]),
    "stooq/ok_indy_2026-04-20.csv": (["indy.us"], ["44.82"]),
    "stooq/ok_noname_aapl_2024-12-09.csv": (["aapl.us"], ["246.75"]),
    "stooq/ok_noname_coin_2026-05-18.csv": (["coin.us"], ["189.44"]),
    "stooq/ok_noname_otp.hu_2026-06-04.csv": (["otp.hu"], ["26000"]),
    "stooq/ok_noname_spx_2026-02-10.csv": (["^spx"], ["6941.81"]),
    "stooq/ok_prev_column_spy_2026-05-22.csv": (["spy.us"], ["745.64"]),
    "stooq/ok_custom_f_2026-06-03.csv": (["^spx", "usdkrw"], ["malformed", "malformed"]),  # no high, no low
    "stooq/ok_bid_ask_eurusd_2026-10-02.csv": (["eurusd"], ["1.12506"]),
    "stooq/ok_noheader_batch_2026-03-18.csv": (["aapl.us", "brk-b.us"], ["malformed", "malformed"]),  # we ask for one
    "stooq/batch_one_unknown.csv": (["aapl.us", "appl.us"], ["149.99", "not_found"]),
    "stooq/unknown_nd_name.csv": (["zzzz.us"], ["not_found"]),
    "stooq/header_only.csv": (["aapl.us"], ["malformed"]),
    "stooq/empty.txt": (["aapl.us"], ["malformed"]),
    "stooq/pl_wig_2017-04-06.csv": (["wig"], ["59406.36"]),
    "stooq/pl_pkn_2025-07-21.csv": (["pkn"], ["86.91"]),
    "stooq/pl_unknown_bd.csv": (["dummystock"], ["not_found"]),
    "stooq/compact_pko_2026-02-12.csv": (["pko"], ["malformed"]),
    "stooq/err_daily_limit.txt": (["aapl.us"], ["rate_limited"]),
    "stooq/err_daily_limit_pl.txt": (["aapl.us"], ["rate_limited"]),
    "stooq/err_no_data.txt": (["aapl.us"], ["malformed"]),  # of another page: no answer to what we ask
    "stooq/err_brak_danych.txt": (["aapl.us"], ["malformed"]),
    "stooq/err_access_denied.txt": (["aapl.us"], ["blocked"]),
    "stooq/err_get_apikey.txt": (["aapl.us"], ["unauthorised"]),
    "stooq/retired_404.html": (["aapl.us"], ["retired"]),
    "yahoo/chart_aapl_5d_1d_2026-07-24.json": (["aapl.us"], ["328.879"]),
    "yahoo/chart_aapl_1d_5m_2026-10-05.json": (["aapl.us"], ["333.923"]),
    "yahoo/chart_aapl_1mo_1d_2026-10-05.json": (["aapl.us"], ["333.825"]),
    "yahoo/chart_btc-usd_1d_5m_2026-10-05.json": (["btc.v"], ["86466.64"]),
    "yahoo/chart_404_unknown.json": (["nosuch.us"], ["not_found"]),
    "yahoo/chart_422_range.json": (["aapl.us"], ["malformed"]),
    "yahoo/quote_v7_empty.json": (["aapl.us"], ["malformed"]),
    "yahoo/quote_v7_401_no_crumb.json": (["aapl.us"], ["unauthorised"]),
    "yahoo/quote_v7_batch_2026-10-05.json": (["aapl.us"], ["malformed"]),
    "yahoo/err_429.txt": (["aapl.us"], ["rate_limited"]),
    "cboe/quote_aapl_2026-09-15.json": (["aapl.us"], ["330.27"]),
    "cboe/unknown_403.xml": (["nosuch.us"], ["unsure"]),
    "twelvedata/quote_aapl_2026-09-15.json": (["aapl.us"], ["331.34000"]),
    "twelvedata/batch_aapl_voo.json": (["aapl.us", "voo.us"], ["332.695", "699.3"]),
    "twelvedata/batch_one_unknown.json": (["aapl.us", "zzzz.us"], ["332.695", "not_found"]),
    "twelvedata/err_404_unknown.json": (["zzzz.us"], ["not_found"]),
    "twelvedata/err_401.json": (["aapl.us"], ["unauthorised"]),
    "twelvedata/err_429_minute.json": (["aapl.us"], ["rate_limited"]),
    "twelvedata/err_429_day.json": (["aapl.us"], ["rate_limited"]),
}


def collected() -> list[tuple[str, int, bytes]]:
    manifest = COLLECTION / "manifest.json"
    wanted = manifest.is_file() or "PROVIDER_FIXTURES" in os.environ
    entries = json.loads(manifest.read_text(encoding="utf-8")) if wanted else []
    return [(entry["path"], entry["status"], (COLLECTION / entry["path"]).read_bytes()) for entry in entries]


def test_every_collected_answer_is_taken_for_what_it_is() -> None:
    for path, status, body in collected():
        provider = path.split("/")[0]
        if provider in ASKED:
            symbols, expected = COLLECTED[path]
            # Twelve Data may send its errors with either status
            for each in {status, 200} if provider == "twelvedata" else {status}:
                assert (path, outcomes(provider, Response(each, body), *symbols)) == (path, expected)


def test_answers_of_other_providers_are_refused_by_all() -> None:
    for path, status, body in [*collected(), ("samples", 200, (SAMPLES / "stooq/batch_mixed.csv").read_bytes())]:
        for provider, symbol in ASKED.items():
            if provider != path.split("/")[0]:
                (told,) = outcomes(provider, Response(status, body), symbol)
                assert told in {*FailureKind} - {"not_found"}, (path, provider)


def one(path: str, symbol: str) -> Quote:
    response = Response(200, (SAMPLES / path).read_bytes())
    found = parse(path.split("/", maxsplit=1)[0], response, symbol)[symbol]
    assert isinstance(found, Quote)
    return found


def test_yahoo_prices_in_pence_stay_in_pence() -> None:
    assert one("yahoo/ok_pence.json", "tsco.uk") == Quote(
        symbol="TSCO.UK",
        name="Tesco PLC",
        open=Decimal("453.3"),  # a bar's 453.29998779296875
        high=Decimal("459.9"),
        low=Decimal("452.1"),
        close=Decimal("456.8"),
        volume=8123456,
        currency="GBp",
        source="yahoo",
        as_of=datetime(2026, 9, 21, 15, 35, tzinfo=UTC),
        fetched_at=NOW,
    )


def test_yahoo_high_and_low_may_come_from_the_bar() -> None:
    quote = one("yahoo/ok_high_and_low_in_bar_only.json", "tsco.uk")

    assert (quote.high, quote.low, quote.volume) == (Decimal("459.9"), Decimal("452.1"), None)
    assert quote.name == "TESCO PLC ORD 6 1/3P"


def test_yahoo_open_of_a_day_in_short_bars_is_the_first_there_is() -> None:
    assert one("yahoo/ok_intraday_with_gaps.json", "tsco.uk").open == Decimal("453.3")


def test_a_code_that_was_guessed_is_not_unknown_for_certain() -> None:
    body = (SAMPLES / "yahoo/not_found.json").read_bytes()

    assert outcomes("yahoo", Response(404, body), "nosuch.us") == ["not_found"]
    assert outcomes("yahoo", Response(404, body), "xyz") == ["unsure"]
    assert outcomes("yahoo", Response(200, body), "nosuch.us") == ["malformed"]
    assert outcomes("yahoo", Response(404, b"<html>Not here</html>"), "nosuch.us") == ["malformed"]


@pytest.mark.parametrize(
    ("file", "as_of"),
    [
        ("ok_share", datetime(2026, 7, 15, 19, 59, 58, tzinfo=UTC)),
        ("ok_winter_time", datetime(2026, 1, 15, 20, 59, 58, tzinfo=UTC)),
    ],
)
def test_cboe_times_are_those_of_new_york(file: str, as_of: datetime) -> None:
    quote = one(f"cboe/{file}.json", "msft.us")

    assert quote.as_of == as_of
    assert (quote.symbol, quote.name, quote.currency, quote.volume) == ("MSFT.US", "MSFT.US", "USD", 18123456)
    assert (quote.open, quote.high, quote.low, quote.close) == tuple(
        map(Decimal, ("510.0", "514.25", "508.1", "512.34"))
    )


def test_cboe_index_has_no_volume_and_no_currency_and_the_dow_its_size() -> None:
    quote = one("cboe/ok_index.json", "^dji")

    assert (quote.symbol, quote.volume, quote.currency) == ("^DJI", None, None)
    assert (quote.open, quote.low, quote.close) == (Decimal(44100), Decimal(44007), Decimal(44321))


def test_twelvedata_quote() -> None:
    quote = one("twelvedata/ok_closed.json", "msft.us")

    assert (quote.name, quote.currency, quote.volume) == ("Microsoft Corporation", "USD", 18123456)
    assert quote.as_of == datetime(2026, 7, 15, 19, 59, tzinfo=UTC)
    assert quote.open == Decimal("510.01001")


def test_twelvedata_volume_of_one_venue_is_not_passed_on() -> None:
    assert one("twelvedata/ok_market_open.json", "msft.us").volume is None


def test_twelvedata_batch_is_read_one_by_one() -> None:
    body = (SAMPLES / "twelvedata/batch_mixed.json").read_bytes()

    told = outcomes("twelvedata", Response(200, body), "msft.us", "nosuch.us", "dear.us", "absent.us")

    assert told == ["512.34000", "not_found", "plan", "malformed"]


def test_twelvedata_error_of_a_whole_batch() -> None:
    body = (SAMPLES / "twelvedata/unauthorised.json").read_bytes()

    assert outcomes("twelvedata", Response(401, body), "a.us", "b.us") == ["unauthorised", "unauthorised"]


def test_twelvedata_does_not_vouch_for_other_markets() -> None:
    body = (SAMPLES / "twelvedata/not_found.json").read_bytes()

    assert outcomes("twelvedata", Response(404, body), "nosuch.uk") == ["unsure"]


@pytest.mark.parametrize(("file", "seconds"), [("rate_limited_minute", 60), ("rate_limited_day", 3600)])
def test_twelvedata_limits_say_how_long(file: str, seconds: int) -> None:
    outcome = parse("twelvedata", Response(200, (SAMPLES / f"twelvedata/{file}.json").read_bytes()), "a.us")["a.us"]

    assert getattr(outcome, "retry_after", None) == seconds
