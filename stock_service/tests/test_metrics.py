"""What the stock service counts, where it happens."""

from collections.abc import Callable
from typing import Any

from prometheus_client import REGISTRY

from amqp_rpc import ServerEvent
from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.cache import Lifetimes, MemoryCache
from stock_service.chain import ProviderChain
from stock_service.lookup import QuoteLookup
from stock_service.providers.base import FailureKind
from stock_service.rpc_metrics import RpcMetrics

Make = Callable[..., Any]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def requests(result: str) -> float:
    return value("stock_service_provider_requests_total", provider="metered", result=result)


def found() -> list[float]:
    cache = [value("stock_service_cache_lookups_total", found=kind) for kind in ("quote", "unknown", "missing")]
    return [*cache, value("stock_service_stale_quotes_total")]


def test_providers_breakers_and_the_cache_are_counted(fake: Make, quote: Quote) -> None:
    def clock() -> float:
        return now

    def added() -> list[float]:
        return [new - old for new, old in zip(found(), before, strict=True)]

    now, before = 0.0, found()
    provider = fake("metered", quote)
    lookup = QuoteLookup(ProviderChain([provider], clock), MemoryCache(Lifetimes(fresh=60, stale=3600), clock))
    for _ in range(2):
        lookup(["aapl.us"], Deadline.after(6))
    assert added() == [1, 0, 1, 0]
    provider.outcome = FailureKind.NOT_FOUND
    for _ in range(2):
        lookup(["none.us"], Deadline.after(6))
    assert added() == [1, 1, 2, 0]
    assert requests("ok") == 2
    assert value("stock_service_breaker_open", provider="metered") == 0
    now, provider.outcome = 61.0, FailureKind.BLOCKED
    lookup(["aapl.us"], Deadline.after(6))
    assert added() == [1, 1, 3, 1]
    assert requests("blocked") == 1
    assert value("stock_service_provider_request_duration_seconds_count", provider="metered") == 3
    assert value("stock_service_breaker_open", provider="metered") == 1
    assert value("stock_service_breaker_openings_total", provider="metered") == 1
    now, provider.outcome = 700.0, quote
    lookup(["aapl.us"], Deadline.after(6))
    assert value("stock_service_breaker_open", provider="metered") == 0


def test_requests_from_the_queue_are_counted() -> None:
    observer = RpcMetrics()
    observer.began(0.5)
    assert value("rpc_server_requests_in_hand") == 1
    observer.ended(0.1, failed=True)
    observer.began(None)
    observer.ended(0.1, failed=False)
    assert value("rpc_server_requests_in_hand") == 0
    assert value("rpc_server_queue_wait_seconds_count") == 1
    assert [value("rpc_server_handling_duration_seconds_count", result=result) for result in ("ok", "failed")] == [
        1,
        1,
    ]
    for event, consuming in ((ServerEvent.CONSUMING, 1), (ServerEvent.REDELIVERED, 1), (ServerEvent.DISCONNECTED, 0)):
        observer.happened(event)
        assert value("rpc_server_consuming") == consuming
    for event in ServerEvent:
        observer.happened(event)
