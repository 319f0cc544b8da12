"""The contract against its golden messages, which the tests of both services read too."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stock_contract
from stock_contract import (
    REQUEST_EXCHANGE,
    REQUEST_QUEUE,
    BreakerState,
    ErrorCode,
    Failure,
    MalformedMessageError,
    ProviderStatus,
    ProviderStatusReply,
    ProviderStatusRequest,
    Quote,
    QuoteReply,
    QuoteRequest,
    UnsupportedVersionError,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    dump_provider_status,
    dump_quote,
    encode_provider_status_reply,
    encode_provider_status_request,
    encode_reply,
    encode_request,
    is_valid_symbol,
    load_failure,
    load_provider_status,
    load_quote,
)

GOLDEN = Path(stock_contract.__file__).parent / "golden"
APPLE = Quote(
    symbol="AAPL.US",
    name="APPLE",
    open=Decimal("148.43"),
    high=Decimal("150.4"),
    low=Decimal("147.48"),
    close=Decimal("149.99"),
    volume=63804008,
    currency=None,
    source="stooq",
    as_of=datetime(2021, 11, 12, 21, 0, 10, tzinfo=UTC),
    fetched_at=datetime(2021, 11, 12, 21, 15, tzinfo=UTC),
)
NOT_FOUND = Failure(ErrorCode.SYMBOL_NOT_FOUND)
REQUESTS = {
    "request": QuoteRequest("0f8fad5bd9cb469fa16570867728950e", ("aapl.us",)),
    "request_batch": QuoteRequest("7c9e6679742540de944be07fc1f90ae7", ("aapl.us", "nosuch.us", "^spx")),
}
REPLIES = {
    "reply_quote": QuoteReply((APPLE,)),
    "reply_not_found": QuoteReply((NOT_FOUND,)),
    "reply_batch": QuoteReply((APPLE, NOT_FOUND, Failure(ErrorCode.UPSTREAM_QUOTA, retry_after=3600))),
    "reply_unsupported_version": Failure(ErrorCode.UNSUPPORTED_VERSION),
}
STATUS_REQUEST = ProviderStatusRequest("16fd2706e8ba4f1c9d4d4a2b6b8f0c11")
STATUS_REPLY = ProviderStatusReply(
    (
        ProviderStatus(
            "stooq",
            enabled=True,
            breaker=BreakerState.OPEN,
            retry_in=540,
            last_failure=datetime(2021, 11, 12, 21, 14, tzinfo=UTC),
            last_failure_kind="retired",
            failures=3,
            failures_by_kind={"retired": 2, "timeout": 1},
        ),
        ProviderStatus("yahoo", enabled=True, last_success=datetime(2021, 11, 12, 21, 15, tzinfo=UTC), successes=41),
        ProviderStatus("twelvedata", enabled=False),
    )
)
STATUS = {"request_provider_status", "reply_provider_status"}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_every_golden_message_is_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*REQUESTS, *REPLIES, *STATUS, "quote"}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_read_and_write_as_the_golden_messages(name: str) -> None:
    assert decode_request(golden(name)) == REQUESTS[name]
    assert json.loads(encode_request(REQUESTS[name])) == json.loads(golden(name))


@pytest.mark.parametrize("name", REPLIES)
def test_replies_read_and_write_as_the_golden_messages(name: str) -> None:
    assert decode_reply(golden(name)) == REPLIES[name]
    assert json.loads(encode_reply(REPLIES[name])) == json.loads(golden(name))


def test_a_quote_reads_and_writes_as_the_golden_message() -> None:
    assert load_quote(json.loads(golden("quote"))) == APPLE
    assert dump_quote(APPLE) == json.loads(golden("quote"))


def test_a_request_for_the_state_of_the_providers_reads_and_writes_as_the_golden_message() -> None:
    assert decode_request(golden("request_provider_status")) == STATUS_REQUEST
    assert json.loads(encode_provider_status_request(STATUS_REQUEST)) == json.loads(golden("request_provider_status"))


def test_the_state_of_the_providers_reads_and_writes_as_the_golden_message() -> None:
    message = json.loads(golden("reply_provider_status"))

    assert decode_provider_status_reply(golden("reply_provider_status")) == STATUS_REPLY
    assert json.loads(encode_provider_status_reply(STATUS_REPLY)) == message
    assert [dump_provider_status(status) for status in STATUS_REPLY.providers] == message["providers"]


def test_a_request_for_the_state_of_the_providers_can_fail_as_a_whole() -> None:
    failure = REPLIES["reply_unsupported_version"]

    assert decode_provider_status_reply(golden("reply_unsupported_version")) == failure
    assert json.loads(encode_provider_status_reply(failure)) == json.loads(golden("reply_unsupported_version"))


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


def test_the_version_is_in_the_queue_name_and_in_every_message() -> None:
    assert REQUEST_QUEUE == "stock.quotes.v1"
    assert REQUEST_EXCHANGE == "stock.rpc"
    messages = [json.loads(golden(name)) for name in (*REQUESTS, *REPLIES, *STATUS)]
    assert {message["version"] for message in messages} == {1}


def changed(name: str, **changes: Any) -> bytes:
    return json.dumps({**json.loads(golden(name)), **changes}).encode()


def quote_with(**changes: Any) -> dict[str, Any]:
    return {**json.loads(golden("quote")), **changes}


def test_a_quote_of_an_older_worker_reads_without_the_newer_fields() -> None:
    older = {name: value for name, value in json.loads(golden("quote")).items() if name != "fresh_until"}
    assert load_quote(older) == APPLE


def test_readers_ignore_unknown_fields() -> None:
    assert decode_request(changed("request", colour="blue")) == REQUESTS["request"]
    assert decode_reply(changed("reply_not_found", colour="blue")) == REPLIES["reply_not_found"]
    assert load_quote(quote_with(colour="blue")) == APPLE


@pytest.mark.parametrize("version", [0, 2, 99, True, "1", None, 1.5, [1]])
def test_another_version_is_told_apart_from_garbage(version: object) -> None:
    with pytest.raises(UnsupportedVersionError):
        decode_request(changed("request", version=version))
    with pytest.raises(UnsupportedVersionError):
        decode_reply(changed("reply_quote", version=version))


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


def test_an_error_code_of_a_newer_sender_stays_an_error() -> None:
    assert load_failure({"code": "invented_later"}) == Failure(ErrorCode.INTERNAL)


def test_messages_of_errors_name_fields_and_never_values() -> None:
    with pytest.raises(MalformedMessageError, match=r"^wrong or missing: close$") as caught:
        load_quote(quote_with(close="secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "symbol", ["aapl.us", "AAPL", "^spx", "brk-b.us", "7203.jp", "EURUSD=X", "a", "a" * 20, "1_x"]
)
def test_symbol_codes(symbol: str) -> None:
    assert is_valid_symbol(symbol)


@pytest.mark.parametrize(
    "symbol", ["", "a" * 21, ".us", "-a", "_a", "=a", "a b", "a&f=x", "a#", "ä", "a\n", "٣", "a/b"]
)
def test_what_is_no_symbol_code(symbol: str) -> None:
    assert not is_valid_symbol(symbol)
