"""The one table from "no quote, because ..." to the HTTP answer: status, slug and words for people."""

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from api_service.resources.schemas import NoQuoteBody
from api_service.stock_clients import (
    StockServiceError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from service_kit.problems import Problem
from stock_contract import ErrorCode, Failure


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    slug: str
    title: str
    detail: str
    retry_after: int = 5
    """Whole seconds; sent with every 503, unless the failure itself knows better."""

    def problem(self, retry_after: int | None = None) -> Problem:
        wait = self.retry_after if retry_after is None else retry_after
        headers = {"Retry-After": str(wait)} if self.status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return Problem(self.status, self.slug, self.detail, title=self.title, headers=headers)


_NO_QUOTE: Final = NoQuoteBody()
_DEFECT: Final = _Answer(
    HTTPStatus.BAD_GATEWAY,
    "stock-service-error",
    "Stock service failed",
    "The stock service could not handle this request. Quote the request id when you report it.",
)

BY_CODE: Final = MappingProxyType(
    {
        ErrorCode.SYMBOL_NOT_FOUND: _Answer(
            HTTPStatus.NOT_FOUND,
            "symbol-not-found",
            "Unknown symbol",
            "There is no quote for this symbol. Check the code; a US stock looks like aapl.us.",
        ),
        ErrorCode.UPSTREAM_TIMEOUT: _Answer(
            HTTPStatus.GATEWAY_TIMEOUT,
            "upstream-timeout",
            "Quote provider too slow",
            "No quote provider answered in time. Try again in a moment.",
        ),
        ErrorCode.UPSTREAM_ERROR: _Answer(
            HTTPStatus.BAD_GATEWAY,
            "upstream-error",
            "Quote provider failed",
            "The quote providers could not be reached or answered with an error. Try again later.",
        ),
        ErrorCode.UPSTREAM_BAD_DATA: _Answer(
            HTTPStatus.BAD_GATEWAY,
            "upstream-bad-data",
            "Quote provider answered without a quote",
            "A quote provider answered with something that is not a quote. Try again later.",
        ),
        ErrorCode.UPSTREAM_QUOTA: _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "upstream-quota",
            "Quote provider's limit reached",
            "The limit of requests to the quote provider is used up. Try again after the time in Retry-After.",
            retry_after=60,
        ),
        ErrorCode.UPSTREAM_UNAVAILABLE: _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "upstream-unavailable",
            "No quote provider available",
            "Every quote provider is out at the moment. Try again after the time in Retry-After.",
            retry_after=15,
        ),
        ErrorCode.UNSUPPORTED_VERSION: _Answer(
            HTTPStatus.BAD_GATEWAY,
            "stock-service-incompatible",
            "Stock service of another version",
            "The stock service does not speak this version. Quote the request id when you report it.",
        ),
        ErrorCode.BAD_REQUEST: _DEFECT,  # what was asked has been checked here, so the defect is ours
        ErrorCode.INTERNAL: _DEFECT,
    }
)

BY_REASON: Final = MappingProxyType(
    {
        UnavailableReason.BROKER: _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "broker-unavailable",
            "Stock service out of reach",
            "The message broker cannot be reached right now. Try again in a moment.",
        ),
        UnavailableReason.SERVER: _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "stock-service-unavailable",
            "Stock service away",
            "The stock service is not running right now. Try again in a moment.",
        ),
        UnavailableReason.OVERLOADED: _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            "Too many requests at once",
            "Too many quotes are being asked for at once. Try again in a moment.",
            retry_after=1,
        ),
    }
)

_TIMEOUT: Final = _Answer(
    HTTPStatus.GATEWAY_TIMEOUT,
    "stock-service-timeout",
    "Stock service too slow",
    "The stock service did not answer in time. Try again in a moment.",
)
_BAD_REPLY: Final = _Answer(
    HTTPStatus.BAD_GATEWAY,
    "stock-service-bad-reply",
    "Stock service's answer unusable",
    "The stock service answered with something that cannot be used. Quote the request id when you report it.",
)


def problem_of_failure(failure: Failure) -> Problem:
    """The answer for what the stock service reports."""
    return BY_CODE[failure.code].problem(failure.retry_after)


def entry_of_failure(symbol: str, failure: Failure) -> dict[str, Any]:
    """What stands in the answer to a batch for a symbol without a quote."""
    problem = problem_of_failure(failure)
    entry: dict[str, Any] = _NO_QUOTE.dump({"symbol": symbol.upper(), "error": problem})
    return entry


def problem_of_error(error: StockServiceError) -> Problem:
    """The answer for a call that has no reply, or none that can be used."""
    if isinstance(error, StockServiceUnavailableError):
        return BY_REASON[error.reason].problem()
    if isinstance(error, StockServiceFailedError):
        return problem_of_failure(error.failure)
    if isinstance(error, StockServiceTimeoutError):
        return _TIMEOUT.problem()
    return _BAD_REPLY.problem()
