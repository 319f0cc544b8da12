"""The messages as frozen dataclasses, and the names that both services must agree on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

CONTRACT_VERSION: Final = 1
"""The major version. It rises when an old reader could misread a new message; new optional fields do not count."""

REQUEST_QUEUE: Final = f"stock.quotes.v{CONTRACT_VERSION}"
"""The version is part of the name, so that workers of two versions can serve side by side during an upgrade."""

REQUEST_EXCHANGE: Final = "stock.rpc"
"""Requests of every version go through it, routed by the name of their queue: who may write to it reaches these queues
and no others."""


class BreakerState(StrEnum):
    """Whether a provider is asked at the moment."""

    CLOSED = "closed"
    """It is asked."""
    OPEN = "open"
    """It is known to be out, and not asked."""
    HALF_OPEN = "half_open"
    """One call at a time may find out whether it is back."""


class ErrorCode(StrEnum):
    """Why there is no quote. The API maps each code to one HTTP status (`api_service/resources/failures.py`)."""

    SYMBOL_NOT_FOUND = "symbol_not_found"
    """A provider that covers the market said so. Never used for an outage."""
    UPSTREAM_TIMEOUT = "upstream_timeout"
    """No provider answered within the time budget."""
    UPSTREAM_ERROR = "upstream_error"
    """The providers could not be reached, refused, or answered with an error."""
    UPSTREAM_BAD_DATA = "upstream_bad_data"
    """A provider answered, but not with a quote."""
    UPSTREAM_QUOTA = "upstream_quota"
    """A provider's rate limit or daily limit is used up."""
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    """Every provider is known to be out; none was asked."""
    BAD_REQUEST = "bad_request"
    """The request is not a valid message of this version."""
    UNSUPPORTED_VERSION = "unsupported_version"
    """The request is of a version that this worker does not speak."""
    INTERNAL = "internal"
    """A defect in the stock service; its log has the request id."""


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """Ask for the quotes of `symbols` (1 to 50 valid codes); the reply keeps their order."""

    request_id: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """One quote as a provider gave it. Prices are exact and in `currency` (None when the provider does not say)."""

    symbol: str
    """The code that was asked for, in upper case."""
    name: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None
    currency: str | None
    source: str
    """The provider's name, as in `QUOTE_PROVIDERS`."""
    as_of: datetime
    """When the provider says the price was true; UTC."""
    fetched_at: datetime
    """When the stock service read it; UTC."""
    stale: bool = False
    """True when it comes from the cache because every provider failed."""
    fresh_until: datetime | None = None
    """Until when the stock service answers with this quote without asking a provider again; UTC. None when it would
    ask again at once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one symbol, or the whole request, has no quote."""

    code: ErrorCode
    retry_after: int | None = None
    """Whole seconds after which asking again makes sense; None when unknown."""


@dataclass(frozen=True, slots=True)
class QuoteReply:
    """One result per requested symbol, in the order of the request."""

    results: tuple[Quote | Failure, ...]


@dataclass(frozen=True, slots=True)
class ProviderStatusRequest:
    """Ask how the providers are doing. It goes to the same queue; which of several workers answers is chance."""

    request_id: str


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What one worker has seen of one provider since its start."""

    name: str
    enabled: bool
    """Whether the settings put it into the chain."""
    breaker: BreakerState = BreakerState.CLOSED
    retry_in: int | None = None
    """Whole seconds until it may be tried again; None unless the breaker is open."""
    last_success: datetime | None = None
    """UTC; "no such symbol" is a success too."""
    last_failure: datetime | None = None
    """UTC."""
    last_failure_kind: str | None = None
    successes: int = 0
    """Calls, not symbols: a batch is one."""
    failures: int = 0
    failures_by_kind: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderStatusReply:
    """Every provider that the worker knows, those of the chain first and in its order."""

    providers: tuple[ProviderStatus, ...]
