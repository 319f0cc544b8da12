"""The one quote lookup that both doors use."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeAlias

from service_kit.deadline import Deadline
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import Failure, Quote
from stock_service.chain import ProviderChain
from stock_service.fetch import Fetcher
from stock_service.providers import FACTORIES
from stock_service.settings import Settings

Lookup: TypeAlias = Callable[[Sequence[str], Deadline], tuple[Quote | Failure, ...]]
"""Takes valid symbol codes and the caller's deadline; gives one result for each, in order."""

_MAX_PARALLEL: Final = 8
"""Symbols of one request that are looked up at a time."""


class QuoteLookup:
    """Looks up symbols in a chain of providers, those of one request side by side. A `Lookup`."""

    def __init__(self, chain: ProviderChain) -> None:
        self._chain = chain

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """Answer within the earlier of `deadline` and the budget for all providers; `symbols` are valid codes."""
        limit = deadline.within(UPSTREAM_TOTAL)
        codes = tuple(dict.fromkeys(symbol.upper() for symbol in symbols))
        results = dict(zip(codes, self._find_all(codes, limit), strict=True))
        return tuple(results[symbol.upper()] for symbol in symbols)

    def _find_all(self, codes: Sequence[str], deadline: Deadline) -> list[Quote | Failure]:
        if len(codes) == 1:
            return [self._chain.find(codes[0], deadline)]
        with ThreadPoolExecutor(_MAX_PARALLEL, thread_name_prefix="lookup") as pool:
            # A copied context each: it holds the request id for the log.
            tasks = [pool.submit(copy_context().run, self._chain.find, code, deadline) for code in codes]
            return [task.result() for task in tasks]


def build_lookup(settings: Settings) -> QuoteLookup:
    """Wire the chain that the settings ask for. It starts no thread and opens no connection yet."""
    providers = [FACTORIES[name](settings, Fetcher(settings.user_agent).fetch) for name in settings.quote_providers]
    return QuoteLookup(ProviderChain(providers))
