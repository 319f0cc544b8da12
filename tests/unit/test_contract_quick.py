"""The hand-written half of the codec does what the schemas do, or leaves it to them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

import stock_contract
from stock_contract import Quote, QuoteRequest
from stock_contract.quick import read_quote, read_request, write_quote
from stock_contract.schemas import QuoteSchema, RequestSchema

GOLDEN = json.loads((Path(stock_contract.__file__).parent / "golden" / "reply_quote.json").read_text())
PLAIN = {**GOLDEN["results"][0]["quote"], "fresh_until": "2021-11-12T21:16:00.123456Z"}
patient = settings(suppress_health_check=[HealthCheck.too_slow])  # the first text that is drawn takes a second
QUOTE, REQUEST = QuoteSchema(), RequestSchema()

instants = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001  the zone is drawn beside it
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-5))),
)
prices = st.decimals(0, 10**12, places=4)
quotes = st.builds(
    Quote,
    symbol=st.from_regex(r"[A-Z0-9^][A-Z0-9.^_=-]{0,19}", fullmatch=True),
    name=st.text(min_size=1, max_size=200),
    open=prices,
    high=prices,
    low=prices,
    close=prices | st.just(Decimal("1E+3")),
    volume=st.none() | st.integers(0, 2**63 - 1),
    currency=st.none() | st.text(min_size=1, max_size=8),
    source=st.text(min_size=1, max_size=32),
    as_of=instants,
    fetched_at=instants,
    stale=st.booleans(),
    fresh_until=st.none() | instants,
)
values = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**64)
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(
        ["1", "1.5", "-1", "NaN", "1e3", "1_0", " 1", "9" * 13, "9" * 12 + ".5", "1000000000000.1", "", "true"]
    )
    | st.sampled_from(
        ["2021-11-12T21:00:10Z", "2021-11-12T21:00:10.5Z", "2021-11-12T21:00:10+01:00", "2021-02-30T00:00:00Z"]
    )
    | st.lists(st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def by_schema(schema: Any, data: Any) -> Any:
    try:
        return schema.load(data)
    except ValidationError:
        return None


@patient
@given(quotes)
def test_a_quote_is_written_as_the_schema_writes_it(quote: Quote) -> None:
    written = write_quote(quote)
    assert written == QUOTE.dump(quote)
    assert list(written) == list(QUOTE.dump(quote))
    assert set(written) == set(asdict(quote))


@patient
@given(quotes)
def test_what_is_written_is_read_as_the_schema_reads_it(quote: Quote) -> None:
    written = json.loads(json.dumps(write_quote(quote)))
    read = read_quote(written)
    assert read is None or repr(read) == repr(QUOTE.load(written))


@patient
@given(
    st.dictionaries(st.sampled_from([*PLAIN, "unknown"]), values, max_size=3),
    st.sets(st.sampled_from([*PLAIN]), max_size=1),
)
def test_whatever_stands_in_a_quote_it_is_read_as_the_schema_reads_it_or_not_at_all(
    changes: dict[str, Any], missing: set[str]
) -> None:
    data = {name: value for name, value in (PLAIN | changes).items() if name not in missing}
    read = read_quote(data)
    assert read is None or repr(read) == repr(by_schema(QUOTE, data))


@patient
@given(
    st.dictionaries(st.sampled_from(["request_id", "symbols", "version", "x"]), values | st.just(["aapl.us", "^spx"]))
)
def test_whatever_stands_in_a_request_it_is_read_as_the_schema_reads_it_or_not_at_all(data: dict[str, Any]) -> None:
    read = read_request(data)
    assert read is None or repr(read) == repr(by_schema(REQUEST, data))


def test_the_plain_ones_are_read_quickly() -> None:
    assert repr(read_quote(PLAIN)) == repr(QUOTE.load(PLAIN))
    plain = {"version": 1, "request_id": "r1", "symbols": ["aapl.us", "^spx"]}
    assert read_request(plain) == QuoteRequest("r1", ("aapl.us", "^spx")) == REQUEST.load(plain)


@pytest.mark.parametrize("name", sorted(PLAIN))
@pytest.mark.parametrize("value", ["", 5, None, [], "x" * 300, True])
def test_what_is_not_plain_is_left_to_the_schema(name: str, value: Any) -> None:
    data = PLAIN | {name: value}
    read = read_quote(data)
    assert read is None or repr(read) == repr(QUOTE.load(data))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volume", 2**63),
        ("volume", -1),
        ("volume", True),
        ("volume", 1.0),
        ("open", "1000000000000.1"),
        ("close", 1.5),
        ("low", "-1"),
        ("symbol", "a b"),
        ("name", "x" * 201),
        ("source", ""),
        ("currency", "NINELONGX"),
        ("stale", 1),
        ("as_of", "2021-02-30T00:00:00Z"),
        ("fetched_at", "2021-11-12T21:00:10"),
        ("fresh_until", "now"),
    ],
)
def test_what_is_wrong_is_not_read_quickly(name: str, value: Any) -> None:
    assert read_quote(PLAIN | {name: value}) is None
