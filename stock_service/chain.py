"""Asks one provider after the other for one symbol, inside one deadline, and says why when none has a quote."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure, Quote
from stock_service.providers.base import FailureKind, Provider, ProviderError

_log = logging.getLogger(__name__)

CODES: Final[Mapping[FailureKind, ErrorCode]] = {
    FailureKind.TIMEOUT: ErrorCode.UPSTREAM_TIMEOUT,
    FailureKind.UNREACHABLE: ErrorCode.UPSTREAM_ERROR,
    FailureKind.MALFORMED: ErrorCode.UPSTREAM_BAD_DATA,
    FailureKind.RATE_LIMITED: ErrorCode.UPSTREAM_QUOTA,
    FailureKind.BLOCKED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.UNAUTHORISED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.PLAN: ErrorCode.UPSTREAM_ERROR,
    FailureKind.RETIRED: ErrorCode.UPSTREAM_ERROR,
    FailureKind.NOT_FOUND: ErrorCode.SYMBOL_NOT_FOUND,
}
"""What a caller is told, by kind of failure; the most telling kind first.

When several providers failed, the failure that is likely to pass first is told: a daily limit of one must not hide
that another merely timed out. A miss comes last, so an outage is never told as an unknown symbol.
"""

_RANK: Final = {kind: rank for rank, kind in enumerate(CODES)}


class ProviderChain:
    """`providers` in the order in which they are asked; at least one."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = tuple(providers)

    def find(self, symbol: str, deadline: Deadline) -> Quote | Failure:
        """The first quote that any provider has, or the most telling of the failures.

        Each provider gets an equal share of the time that is left, so that the last one still has its turn.
        """
        errors: list[ProviderError] = []
        for turn, provider in enumerate(self._providers):
            if deadline.expired:
                errors.append(ProviderError(FailureKind.TIMEOUT))
                break
            share = deadline.remaining() / (len(self._providers) - turn)
            try:
                return provider.fetch(symbol, deadline.within(share))
            except ProviderError as error:
                _log_failure(provider, symbol, error)
                if error.kind is FailureKind.NOT_FOUND and provider.not_found_is_final:
                    return Failure(ErrorCode.SYMBOL_NOT_FOUND)
                errors.append(error)
        return _failure(min(errors, key=_rank))


def _rank(error: ProviderError) -> tuple[int, float]:
    return _RANK[error.kind], float("inf") if error.retry_after is None else error.retry_after


def _failure(error: ProviderError) -> Failure:
    return Failure(CODES[error.kind], error.retry_after)


def _log_failure(provider: Provider, symbol: str, error: ProviderError) -> None:
    level = logging.INFO if error.kind is FailureKind.NOT_FOUND else logging.WARNING
    fields = {"provider": provider.name, "symbol": symbol, "kind": str(error.kind), "detail": error.detail}
    _log.log(level, "upstream.failed", extra=fields)
