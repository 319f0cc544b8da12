"""The interface to the stock service, and what a call to it can end in.

    StockServiceError
    ├── StockServiceUnavailableError   it could not be asked; `reason` says who is away
    ├── StockServiceTimeoutError       no answer within the deadline
    ├── StockServiceFailedError        it answered that it does not serve the request; `failure` says why
    └── BadStockReplyError             an answer that is not one to the question

The exceptions of pika's and requests' worlds end in the two clients. What the stock service reports about one
symbol is a `Failure` of the contract among the results, not an exception.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from service_kit.deadline import Deadline
from stock_contract import Failure, ProviderStatus, Quote


class StockServiceError(Exception):
    """There is no answer from the stock service. Can be copied, so that several callers may be told the same."""


class UnavailableReason(StrEnum):
    BROKER = "broker"
    """There is no way to the message broker."""
    SERVER = "server"
    """Nobody serves."""
    OVERLOADED = "overloaded"
    """This process already waits for as many answers as it may."""


class StockServiceUnavailableError(StockServiceError):
    """The stock service could not be asked, or the way to its answer is gone; asking again later makes sense."""

    def __init__(self, reason: UnavailableReason) -> None:
        super().__init__(reason)
        self.reason = reason


class StockServiceTimeoutError(StockServiceError):
    """No answer within the deadline."""


class StockServiceFailedError(StockServiceError):
    """The stock service did not serve the request as a whole."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.code.value


class BadStockReplyError(StockServiceError):
    """The answer cannot be read, or does not fit the question. The text holds nothing of the answer."""


class StockClient(Protocol):
    """Asks for quotes and about those who give them; safe to use from many threads."""

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """One quote or failure for each of `symbols` (1 to 50 valid codes), in their order; they cross as one message.

        :raises StockServiceError: there is no answer; its subclasses say why.
        """

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        """How the providers are doing, as the one stock service sees it that happens to answer.

        :raises StockServiceError: there is no answer; its subclasses say why.
        """

    def reachable(self, deadline: Deadline) -> bool:
        """Whether there is a way to the stock service at this moment, told by `deadline`; for looking, not for asking.

        It takes no place from calls, and opens no connection that calls would not use as well.
        """

    def prepare(self, deadline: Deadline) -> None:
        """Open, within the deadline, what the first call would wait for. What cannot be had, calls will say."""

    def close(self) -> None:
        """Let connections go; safe to repeat. The next call opens them again."""
