"""The one quote lookup that both doors use."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from service_kit.deadline import Deadline
from service_kit.single_flight import SingleFlight
from service_kit.time_budget import UPSTREAM_TOTAL
from stock_contract import ErrorCode, Failure, ProviderStatus, Quote
from stock_service import metrics
from stock_service.cache import TIMED_OUT, Cache, Entry, Lifetimes, MemoryCache, Result, Results, is_live
from stock_service.chain import ProviderChain
from stock_service.fetch import Fetcher
from stock_service.providers import FACTORIES
from stock_service.settings import Settings

_DEFAULT_LIFETIMES: Final = Lifetimes()


class Lookup(Protocol):
    """What both doors lead to."""

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """One result for each symbol, a valid code in any case, in order; within the caller's deadline."""

    def status(self) -> tuple[ProviderStatus, ...]:
        """The state of every provider there is: those of the chain first, in its order."""


class QuoteLookup:
    """Looks up symbols in the cache, then in the chain of providers. A `Lookup`."""

    def __init__(self, chain: ProviderChain, cache: Cache, lifetimes: Lifetimes = _DEFAULT_LIFETIMES) -> None:
        self._chain = chain
        self._cache = cache
        self._fresh_for = timedelta(seconds=lifetimes.fresh)
        self._flights: SingleFlight[str, Result] = SingleFlight(TIMED_OUT)

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """Answer within the earlier of `deadline` and the budget for all providers; `symbols` are valid codes."""
        limit = deadline.within(UPSTREAM_TOTAL)
        codes = tuple(dict.fromkeys(symbol.upper() for symbol in symbols))
        known = self._cache.read(codes)
        results = {code: entry.result for code, entry in known.items() if entry.fresh}
        metrics.looked_up(results.values(), missing=len(codes) - len(results))
        if missing := [code for code in codes if code not in results]:
            loaded = self._flights.run(missing, limit, self._load)
            results.update({code: _best(result, known.get(code)) for code, result in loaded.items()})
        return tuple(results[symbol.upper()] for symbol in symbols)

    def status(self) -> tuple[ProviderStatus, ...]:
        chosen = self._chain.status()
        names = {status.name for status in chosen}
        return chosen + tuple(ProviderStatus(name, enabled=False) for name in FACTORIES if name not in names)

    def _load(self, symbols: Sequence[str], deadline: Deadline) -> Results:
        return self._cache.load(symbols, deadline, self._find)

    def _find(self, symbols: Sequence[str], deadline: Deadline) -> Results:
        found = self._chain.find(symbols, deadline)
        return {symbol: self._dated(result) for symbol, result in found.items()}

    def _dated(self, result: Quote | Failure) -> Quote | Failure:
        """A live quote says until when it is given again; a recorded one is looked for elsewhere every time."""
        if isinstance(result, Failure) or not is_live(result):
            return result
        return replace(result, fresh_until=result.fetched_at + self._fresh_for)


def _best(result: Quote | Failure, kept: Entry | None) -> Quote | Failure:
    """The result, or instead of an outage or a recorded quote the last live one, which is then marked stale."""
    settled = is_live(result) if isinstance(result, Quote) else result.code is ErrorCode.SYMBOL_NOT_FOUND
    if settled or kept is None or not isinstance(kept.result, Quote):
        return result
    metrics.STALE_QUOTES.inc()
    return replace(kept.result, stale=True, fresh_until=None)


def build_lookup(settings: Settings) -> QuoteLookup:
    """Wire the chain and the cache that the settings ask for. It starts no thread and opens no connection yet."""
    providers = [FACTORIES[name](settings, Fetcher(settings.user_agent).fetch) for name in settings.quote_providers]
    lifetimes = Lifetimes(fresh=settings.quote_ttl, stale=settings.quote_max_stale)
    return QuoteLookup(ProviderChain(providers), _build_cache(settings, lifetimes), lifetimes)


def _build_cache(settings: Settings, lifetimes: Lifetimes) -> Cache:
    memory = MemoryCache(lifetimes)
    if not settings.cache_url:
        return memory
    from service_kit.redis_link import RedisLink  # most processes need no Redis client, and it is slow to import
    from stock_service.shared_cache import SharedCache

    return SharedCache(RedisLink(settings.cache_url), memory, lifetimes)
