"""What is no message is malformed, and whatever is written reads the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_contract import (
    MalformedMessageError,
    Quote,
    QuoteReply,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    dump_provider_status,
    encode_reply,
    load_provider_status,
    load_quote,
)
from tests.unit.contract.messages import STATUS_REPLY, changed, quote_with


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 33},
        {"enabled": None},
        {"breaker": "ajar"},
        {"breaker": None},
        {"retry_in": -1},
        {"retry_in": 1.5},
        {"last_success": "yesterday"},
        {"last_failure_kind": 7},
        {"failures": -1},
        {"failures_by_kind": {"retired": "many"}},
        {"failures_by_kind": None},
    ],
)
def test_a_wrong_state_of_a_provider_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessageError):
        load_provider_status(dump_provider_status(STATUS_REPLY.providers[0]) | changes)


@pytest.mark.parametrize("ask", ["weather", "", 7, ["provider_status"], {}])
def test_what_asks_for_something_else_is_malformed(ask: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode_request(changed("request", ask=ask))


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": []},
        {"symbols": ["aapl.us"] * 51},
        {"symbols": ["aapl us"]},
        {"symbols": "aapl.us"},
        {"symbols": [7]},
        {"request_id": ""},
        {"request_id": "x" * 65},
        {"request_id": None},
    ],
)
def test_a_wrong_request_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessageError):
        decode_request(changed("request", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"close": "nan"},
        {"close": "Infinity"},
        {"close": "-1"},
        {"close": "1e999"},
        {"close": "1e-400"},
        {"close": None},
        {"close": "N/D"},
        {"close": "1_000"},
        {"close": " 1 "},
        {"close": 1.5},
        {"close": "1000000000000.01"},
        {"volume": -1},
        {"volume": 1.5},
        {"volume": 2**63},
        {"as_of": "2026-02-30T00:00:00Z"},
        {"as_of": "yesterday"},
        {"as_of": "2026-02-03"},
        {"as_of": "2026-02-03T01:02:03"},
        {"as_of": "0001-01-01T00:00:00+05:00"},
        {"as_of": "9999-12-31T23:59:59-05:00"},
        {"symbol": "../etc"},
        {"name": ""},
        {"name": "x" * 201},
        {"source": None},
    ],
)
def test_a_wrong_quote_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessageError):
        load_quote(quote_with(**changes))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"\xff\xfe", b"{", b"[" * 100_000, b'{"version": 1}', b'{"version": 1, "results": 3}'],
)
def test_what_is_not_a_message_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        decode_request(body)
    with pytest.raises(MalformedMessageError):
        decode_reply(body)
    with pytest.raises(MalformedMessageError):
        decode_provider_status_reply(body)


def test_messages_of_errors_name_fields_and_never_values() -> None:
    with pytest.raises(MalformedMessageError, match=r"^wrong or missing: close$") as caught:
        load_quote(quote_with(close="secret"))
    assert "secret" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    for decode in (decode_request, decode_reply, decode_provider_status_reply):
        try:
            decode(body)
        except MalformedMessageError:
            continue


PRICES = st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=4)


@given(PRICES, PRICES, st.text(min_size=1, max_size=200), st.none() | st.integers(0, 2**63 - 1))
def test_whatever_is_written_reads_the_same(low: Decimal, high: Decimal, name: str, volume: int | None) -> None:
    quote = Quote(
        symbol="^SPX",
        name=name,
        open=low,
        high=high,
        low=low,
        close=high,
        volume=volume,
        currency="USD",
        source="recorded",
        as_of=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        fetched_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        stale=True,
    )
    assert decode_reply(encode_reply(QuoteReply((quote,)))) == QuoteReply((quote,))
