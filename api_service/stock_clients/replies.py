"""Does this answer fit the question? What is saved and shown has passed here, whichever way it came."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from api_service.stock_clients.base import BadStockReplyError, StockServiceFailedError
from stock_contract import Failure, ProviderStatus, Quote

Reply = TypeVar("Reply")

MAX_REPLY_BYTES: Final = 256 * 1024
"""Fifty quotes take about 15 KiB, and 145 KiB when every letter of every name is written as an escape."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and half characters: no database and no header takes all of them."""


def served(reply: Reply | Failure) -> Reply:
    """`reply`, when the request was served.

    :raises StockServiceFailedError: it was not; the reply says why.
    """
    if isinstance(reply, Failure):
        raise StockServiceFailedError(reply)
    return reply


def checked(symbols: Sequence[str], results: Sequence[Quote | Failure]) -> tuple[Quote | Failure, ...]:
    """`results`, when there is one for each symbol and each quote is of the symbol that was asked for.

    :raises BadStockReplyError: it is not so, or a text in it cannot be saved or sent.
    """
    if len(results) != len(symbols):
        raise BadStockReplyError("another number of results than of symbols")
    for symbol, result in zip(symbols, results, strict=True):
        if isinstance(result, Quote):
            _check_quote(symbol, result)
    return tuple(results)


def checked_providers(providers: Sequence[ProviderStatus]) -> tuple[ProviderStatus, ...]:
    """`providers`, when their names and the kinds of their failures are names.

    :raises BadStockReplyError: one is not.
    """
    for status in providers:
        kinds = {*status.failures_by_kind, *filter(None, [status.last_failure_kind])}
        if not all(map(_NAME.fullmatch, {status.name, *kinds})):
            raise BadStockReplyError("a provider or a kind of failure that is not a name")
    return tuple(providers)


def _check_quote(symbol: str, quote: Quote) -> None:
    if quote.symbol != symbol.upper():
        raise BadStockReplyError("a quote of another symbol")
    if not _NAME.fullmatch(quote.source):
        raise BadStockReplyError("a source that is not a name")
    if _UNPRINTABLE.search(quote.name) or _UNPRINTABLE.search(quote.currency or ""):
        raise BadStockReplyError("a text with control characters")
