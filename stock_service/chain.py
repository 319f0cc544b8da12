"""Asks one provider after the other for the symbols that are still missing, and says why when none has a quote."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, ProviderStatus, Quote
from stock_service.guard import GuardedProvider
from stock_service.providers.base import FailureKind, Provider, ProviderError

CODES: Final[Mapping[FailureKind, ErrorCode]] = {
    FailureKind.TIMEOUT: ErrorCode.UPSTREAM_TIMEOUT,
    FailureKind.UNREACHABLE: ErrorCode.UPSTREAM_ERROR,
    FailureKind.MALFORMED: ErrorCode.UPSTREAM_BAD_DATA,
    FailureKind.RATE_LIMITED: ErrorCode.UPSTREAM_QUOTA,
    FailureKind.BLOCKED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.UNAUTHORISED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.PLAN: ErrorCode.UPSTREAM_ERROR,
    FailureKind.RETIRED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.OUT: ErrorCode.UPSTREAM_UNAVAILABLE,
    FailureKind.UNSURE: ErrorCode.UPSTREAM_BAD_DATA,
    FailureKind.NOT_COVERED: ErrorCode.SYMBOL_NOT_FOUND,
    FailureKind.NOT_FOUND: ErrorCode.SYMBOL_NOT_FOUND,
}
"""What a caller is told, by kind of failure; the most telling kind first.

When several providers failed, the failure that is likely to pass first is told: a daily limit of one must not hide
that another merely timed out. A miss comes last, so an outage is never told as an unknown symbol; only when no
provider covers a symbol, and none is out that might, does nobody's failure count as a miss.
"""

_RANK: Final = {kind: rank for rank, kind in enumerate(CODES)}


class ProviderChain:
    """`providers` in the order in which they are asked; at least one."""

    def __init__(self, providers: Sequence[Provider], clock: Callable[[], float] = time.monotonic) -> None:
        self._providers = tuple(GuardedProvider(provider, clock) for provider in providers)

    def find(self, symbols: Sequence[str], deadline: Deadline) -> dict[str, Quote | Failure]:
        """For each symbol the first quote that any provider has, or the most telling of the failures.

        Each provider gets an equal share of the time that is left, so that the last one still has its turn.
        """
        results: dict[str, Quote | Failure] = {}
        errors: dict[str, list[ProviderError]] = {symbol: [] for symbol in symbols}
        for turn, provider in enumerate(self._providers):
            missing = [symbol for symbol in symbols if symbol not in results]
            if not missing:
                break
            share = deadline.remaining() / (len(self._providers) - turn)
            for symbol, outcome in provider.ask(missing, deadline.within(share)).items():
                if isinstance(outcome, Quote):
                    results[symbol] = outcome
                elif outcome.kind is FailureKind.NOT_FOUND:
                    results[symbol] = Failure(ErrorCode.SYMBOL_NOT_FOUND)
                else:
                    errors[symbol].append(outcome)
        return {symbol: results.get(symbol) or _failure(min(errors[symbol], key=_rank)) for symbol in symbols}

    def status(self) -> tuple[ProviderStatus, ...]:
        """The state of each provider, in order."""
        return tuple(provider.status() for provider in self._providers)


def _rank(error: ProviderError) -> tuple[int, float]:
    return _RANK[error.kind], float("inf") if error.retry_after is None else error.retry_after


def _failure(error: ProviderError) -> Failure:
    return Failure(CODES[error.kind], error.retry_after)
