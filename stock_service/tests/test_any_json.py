"""No answer at all can break a JSON provider's parser, and none lets through what the contract would refuse."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_contract import dump_quote, load_quote
from stock_service.providers import cboe, json_fields, twelvedata, yahoo
from stock_service.providers.base import FailureKind, Outcomes, ProviderError, Response
from stock_service.providers.symbols import CboeCode, TwelveDataCode, YahooCode

NOW = datetime(2026, 11, 12, 21, 15, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"


def parse_yahoo(response: Response) -> Outcomes:
    return {"TSCO.UK": yahoo.parse(response, "TSCO.UK", YahooCode("TSCO.L"), NOW)}


def parse_cboe(response: Response) -> Outcomes:
    return {"MSFT.US": cboe.parse(response, "MSFT.US", CboeCode("MSFT"), NOW)}


def parse_twelvedata(response: Response) -> Outcomes:
    return twelvedata.parse(response, {"MSFT.US": TwelveDataCode("MSFT")}, NOW)


PARSERS = {
    "yahoo/ok_pence.json": parse_yahoo,
    "yahoo/ok_intraday_with_gaps.json": parse_yahoo,
    "cboe/ok_share.json": parse_cboe,
    "twelvedata/ok_closed.json": parse_twelvedata,
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 5_000_000_000),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["", "1e5", "0", "-1", "٣", "9999-12-31T23:59:59", "0001-01-01", "error", 10**40, 1e308, 1e-320]),
    st.lists(st.integers() | st.none() | st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
ANYTHING = st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *places(value[key])]]


def check(parse: Any, body: bytes, status: int = 200) -> None:
    try:
        outcomes = parse(Response(status, body))
    except ProviderError:
        return
    for outcome in outcomes.values():
        assert isinstance(outcome, ProviderError) or load_quote(dump_quote(outcome)) == outcome


@pytest.mark.parametrize("path", PARSERS)
@given(data=st.data())
def test_a_good_answer_with_anything_in_one_place(path: str, data: st.DataObject) -> None:
    message = json.loads((SAMPLES / path).read_bytes())
    container, key = data.draw(st.sampled_from(places(message)))
    container[key] = data.draw(ODD)

    check(PARSERS[path], json.dumps(message).encode())


@pytest.mark.parametrize("parse", [parse_yahoo, parse_cboe, parse_twelvedata])
@given(body=st.binary(max_size=300) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_and_any_json(parse: Any, body: bytes) -> None:
    check(parse, body)


@pytest.mark.parametrize("parse", [parse_yahoo, parse_cboe, parse_twelvedata])
@pytest.mark.parametrize(
    "body",
    [b"[" * 60_000, b"1" * 60_000, b'{"data": NaN}', b'{"data": 1e9999999999999999999999}', b"\xff\xfe{}", b"{}"],
)
def test_json_that_is_meant_to_break_readers(parse: Any, body: bytes) -> None:
    check(parse, body)


@pytest.mark.parametrize("parse", [parse_yahoo, parse_cboe, parse_twelvedata])
@given(status=st.integers(100, 599), body=st.binary(max_size=50))
def test_no_status_with_any_bytes_means_unknown_symbol(parse: Any, status: int, body: bytes) -> None:
    try:
        outcomes = parse(Response(status, body))
    except ProviderError as error:
        outcomes = {"": error}
    assert all(getattr(outcome, "kind", None) is not FailureKind.NOT_FOUND for outcome in outcomes.values())


def test_zeros_at_the_end_of_a_price_do_not_make_it_too_long_for_the_contract() -> None:
    assert json_fields.price("150.400000000000").as_tuple().exponent >= -10
    assert json_fields.price("150.4") == Decimal("150.4")
