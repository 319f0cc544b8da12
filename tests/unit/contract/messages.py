"""The golden messages, what they say, and what else can be made of them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import stock_contract
from stock_contract import (
    BreakerState,
    ErrorCode,
    Failure,
    ProviderStatus,
    ProviderStatusReply,
    ProviderStatusRequest,
    Quote,
    QuoteReply,
    QuoteRequest,
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


def previous(name: str) -> bytes:
    """The same message as the version before wrote it."""
    return (GOLDEN / "previous" / f"{name}.json").read_bytes()


def changed(name: str, **changes: Any) -> bytes:
    return json.dumps({**json.loads(golden(name)), **changes}).encode()


def quote_with(**changes: Any) -> dict[str, Any]:
    return {**json.loads(golden("quote")), **changes}
