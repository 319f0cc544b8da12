"""The one quote lookup that both doors use."""

from collections.abc import Sequence
from typing import Protocol

from service_kit.deadline import Deadline
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import Failure, ProviderStatus, Quote
from stock_service.chain import ProviderChain
from stock_service.fetch import Fetcher
from stock_service.providers import FACTORIES
from stock_service.settings import Settings


class Lookup(Protocol):
    """What both doors lead to."""

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """One result for each symbol, a valid code in any case, in order; within the caller's deadline."""

    def status(self) -> tuple[ProviderStatus, ...]:
        """The state of every provider there is: those of the chain first, in its order."""


class QuoteLookup:
    """Looks up symbols in a chain of providers. A `Lookup`."""

    def __init__(self, chain: ProviderChain) -> None:
        self._chain = chain

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """Answer within the earlier of `deadline` and the budget for all providers; `symbols` are valid codes."""
        limit = deadline.within(UPSTREAM_TOTAL)
        codes = tuple(dict.fromkeys(symbol.upper() for symbol in symbols))
        results = self._chain.find(codes, limit)
        return tuple(results[symbol.upper()] for symbol in symbols)

    def status(self) -> tuple[ProviderStatus, ...]:
        chosen = self._chain.status()
        names = {status.name for status in chosen}
        return chosen + tuple(ProviderStatus(name, enabled=False) for name in FACTORIES if name not in names)


def build_lookup(settings: Settings) -> QuoteLookup:
    """Wire the chain that the settings ask for. It starts no thread and opens no connection yet."""
    providers = [FACTORIES[name](settings, Fetcher(settings.user_agent).fetch) for name in settings.quote_providers]
    return QuoteLookup(ProviderChain(providers))
