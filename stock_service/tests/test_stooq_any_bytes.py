"""No answer at all can break stooq's parser, and it lets nothing through that the contract would refuse."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stock_contract import dump_quote, load_quote
from stock_service.providers.base import FailureKind, ProviderError, Response
from stock_service.providers.stooq import parse

NOW = datetime(2021, 11, 12, 21, 15, tzinfo=UTC)
HEADER = "Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\n"
ROW = ["AAPL.US", "2021-11-12", "22:00:10", "148.43", "150.4", "147.48", "149.99", "63804008", "APPLE"]

FIELDS = st.one_of(
    st.sampled_from([*ROW, "N/D", "B/D", "", "nan", "-0", "1e999", "0001-01-01", "9999-12-31", "23:59:59", '"', "\r"]),
    st.text(max_size=12),
    st.decimals().map(str),
    st.dates().map(str),
)
TABLES = st.tuples(
    st.sampled_from([HEADER, HEADER.lower(), "Symbol,Date\r\n", "symbol,", ""]),
    st.lists(st.lists(FIELDS, max_size=11) | st.lists(FIELDS, min_size=9, max_size=9), max_size=3),
).map(lambda table: table[0] + "\r\n".join(",".join(row) for row in table[1]))
NEARLY_GOOD = st.tuples(st.integers(0, 8), FIELDS).map(
    lambda change: HEADER + ",".join([*ROW[: change[0]], change[1], *ROW[change[0] + 1 :]])
)


@given(body=st.binary(max_size=300) | TABLES.map(str.encode) | NEARLY_GOOD.map(str.encode))
@example(body=b"symbol,\x00")
@example(body=b'symbol,"')
@example(body=b"symbol," + b"x" * 65_536)
@example(body=b"Symbol,\xff\xfe")
def test_whatever_the_bytes_there_is_a_valid_quote_or_a_provider_error(body: bytes) -> None:
    try:
        found = parse(Response(200, body), ["aapl.us"], NOW)["aapl.us"]
    except ProviderError:
        return
    if isinstance(found, ProviderError):
        return
    assert load_quote(dump_quote(found)) == found


@given(status=st.integers(100, 599), body=st.binary(max_size=50))
def test_no_status_with_any_bytes_means_unknown_symbol(status: int, body: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        parse(Response(status, body), ["aapl.us"], NOW)
    assert caught.value.kind is not FailureKind.NOT_FOUND
