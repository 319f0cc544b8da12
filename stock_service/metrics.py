"""What the stock service counts for Prometheus: every metric of the process, with its help text.

Labels have few values, all from our own code: never a symbol or an address. docs/adr/0019-metrics.md.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from service_kit.build_info import show_build_info
from service_kit.http_metrics import HttpMetrics
from stock_contract import Failure, Quote
from stock_service.providers.base import FailureKind

show_build_info("stock_service")

HTTP: Final = HttpMetrics("stock_service")

PROVIDER_REQUESTS: Final = Counter(
    "stock_service_provider_requests",
    "Requests to providers, by what came of them: ok, or the kind of failure (docs/providers.md).",
    ["provider", "result"],
)
PROVIDER_SECONDS: Final = Histogram(
    "stock_service_provider_request_duration_seconds",
    "Seconds of a request to a provider, its second try included.",
    ["provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.5, 4.0),
)
BREAKER_OPEN: Final = Gauge(
    "stock_service_breaker_open",
    "1 while the provider is left alone or on trial, else 0.",
    ["provider"],
    multiprocess_mode="livemax",
)
BREAKER_OPENINGS: Final = Counter(
    "stock_service_breaker_openings", "How often a provider began to be left alone.", ["provider"]
)

_CACHE: Final = Counter(
    "stock_service_cache_lookups",
    "Symbols looked up in the cache, by what was there: quote, unknown (that there is no such symbol), missing.",
    ["found"],
)
_QUOTE, _UNKNOWN, _MISSING = (_CACHE.labels(found) for found in ("quote", "unknown", "missing"))
STALE_QUOTES: Final = Counter(
    "stock_service_stale_quotes", "Quotes of earlier that were given because no provider had a newer one."
)

_RPC_SECONDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0)
RPC_QUEUE_SECONDS: Final = Histogram(
    "rpc_server_queue_wait_seconds",
    "Seconds from sending a request to its turn in a worker thread, by the clocks of both machines.",
    buckets=_RPC_SECONDS,
)
RPC_HANDLING_SECONDS: Final = Histogram(
    "rpc_server_handling_duration_seconds",
    "Seconds of handling a request, by result (ok, failed: the handler raised).",
    ["result"],
    buckets=_RPC_SECONDS,
)
RPC_IN_HAND: Final = Gauge(
    "rpc_server_requests_in_hand", "Requests that are handled now.", multiprocess_mode="livesum"
)
RPC_CONSUMING: Final = Gauge(
    "rpc_server_consuming", "1 while this process consumes the queue, else 0.", multiprocess_mode="livesum"
)
RPC_CONNECTIONS: Final = Counter("rpc_server_connections", "How often consuming began on a new connection.")
RPC_DISCONNECTIONS: Final = Counter(
    "rpc_server_disconnections", "Connections to the broker that were lost, and attempts that failed."
)
RPC_REDELIVERED: Final = Counter(
    "rpc_server_redelivered_requests", "Requests that another delivery did not see acknowledged."
)
RPC_EXPIRED: Final = Counter("rpc_server_expired_requests", "Requests whose caller had left before their turn came.")
RPC_BAD_REQUESTS: Final = Counter("rpc_server_bad_requests", "Requests that cannot be answered, or are too large.")


def looked_up(found: Iterable[Quote | Failure], *, missing: int) -> None:
    """Count what the cache had of the symbols of one request."""
    for result in found:
        (_QUOTE if isinstance(result, Quote) else _UNKNOWN).inc()
    if missing:
        _MISSING.inc(missing)


def asked(provider: str, failure: FailureKind | None, seconds: float) -> None:
    """Count a request to a provider."""
    PROVIDER_REQUESTS.labels(provider, failure or "ok").inc()
    PROVIDER_SECONDS.labels(provider).observe(seconds)
