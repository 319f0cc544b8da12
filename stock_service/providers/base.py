"""What a provider is, how it reaches the network, and the kinds of failure that are told apart.

A provider is one module: a symbol mapping, a request, and a pure parse of the answer. It never opens a connection of
its own, it is handed a `Fetch`; so its tests need no network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from service_kit.deadline import Deadline
from stock_contract import Quote

MAX_BODY_BYTES: Final = 64 * 1024
"""No quote of any provider comes near it."""

MAX_RETRY_AFTER: Final = 86_400
"""Seconds; the contract's upper limit."""

_EXCERPT_LENGTH: Final = 80


class FailureKind(StrEnum):
    """Why a provider has no quote."""

    NOT_FOUND = "not_found"
    """The provider covers the market and says that there is no such symbol. Only this ends the chain."""
    NOT_COVERED = "not_covered"
    """The symbol is none of those that the provider could have."""
    UNSURE = "unsure"
    """It answers, and has no quote; that may mean that there is no such symbol, but it does not say so."""
    RATE_LIMITED = "rate_limited"
    BLOCKED = "blocked"
    """A challenge page, or our address is refused."""
    UNAUTHORISED = "unauthorised"
    """The key is missing or wrong."""
    PLAN = "plan"
    """The key's plan does not cover the symbol."""
    RETIRED = "retired"
    """The address has been taken out of service."""
    MALFORMED = "malformed"
    """It answered, but not with a quote."""
    UNREACHABLE = "unreachable"
    """No connection, a broken one, or a server error."""
    TIMEOUT = "timeout"
    OUT = "out"
    """It failed before, and is not asked for a while."""


HEALTHY: Final = frozenset(
    {FailureKind.NOT_FOUND, FailureKind.NOT_COVERED, FailureKind.UNSURE, FailureKind.PLAN},
)
"""The kinds that say nothing against the provider: it works, it just has no such quote."""


class ProviderError(Exception):
    """A provider has no quote to give.

    `retry_after` is in whole seconds, 0 to `MAX_RETRY_AFTER`; `detail` is for the log and holds nothing secret.
    """

    def __init__(self, kind: FailureKind, retry_after: int | None = None, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else str(kind))
        self.kind = kind
        self.retry_after = retry_after
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer of any status, body decompressed. Header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Fetch(Protocol):
    """The way to the network (`stock_service.fetch.Fetcher.fetch`)."""

    def __call__(
        self,
        url: str,
        params: Mapping[str, str] | str,
        deadline: Deadline,
        max_bytes: int = MAX_BODY_BYTES,
        *,
        headers: Mapping[str, str] | None = None,
        second_url: str | None = None,
        again: bool = True,
    ) -> Response: ...


Outcomes: TypeAlias = Mapping[str, Quote | ProviderError]
"""What came of each symbol of one request."""


class Provider(Protocol):
    """A source of quotes. Symbols are valid codes in upper case, each at most once."""

    @property
    def name(self) -> str:
        """As in `QUOTE_PROVIDERS` and `Quote.source`."""

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        """Those of `symbols` that the provider covers, put together as they go into one request each."""

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        """Ask for the symbols of one batch, and give an outcome for each.

        :raises ProviderError: the request as a whole failed.
        """


def malformed(detail: str) -> ProviderError:
    return ProviderError(FailureKind.MALFORMED, detail=detail)


def outcome_of(read: Callable[[], Quote]) -> Quote | ProviderError:
    """What `read` returns, or the error that it raises: one bad entry must not spoil a batch."""
    try:
        return read()
    except ProviderError as error:
        return error


def check_status(response: Response) -> None:
    """Pass a 200; what any other status means is the same for most providers.

    :raises ProviderError: the status is not 200.
    """
    if response.status == 200:  # noqa: PLR2004  a status code is its own best name
        return
    detail = f"status {response.status}"
    if response.status in _KINDS_OF_STATUS:
        raise ProviderError(_KINDS_OF_STATUS[response.status], retry_after_of(response), detail)
    server_error = response.status >= 500  # noqa: PLR2004
    raise ProviderError(FailureKind.UNREACHABLE if server_error else FailureKind.MALFORMED, detail=detail)


_KINDS_OF_STATUS: Final = {
    401: FailureKind.UNAUTHORISED,
    402: FailureKind.PLAN,
    403: FailureKind.BLOCKED,
    429: FailureKind.RATE_LIMITED,
}


def retry_after_of(response: Response) -> int | None:
    """The Retry-After header in seconds, at most `MAX_RETRY_AFTER`; None when absent or a date."""
    text = response.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004  longer ones are nonsense
        return None
    return min(int(text), MAX_RETRY_AFTER)


def excerpt(text: str) -> str:
    """The first characters of an unexpected answer, safe to log."""
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text[:_EXCERPT_LENGTH])
