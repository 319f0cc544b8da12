"""What the API counts for Prometheus: every metric of the process, with its help text.

Labels have few values, all from our own code: never a symbol, a user, an address or a path. docs/adr/0019-metrics.md.
"""

import time
from types import TracebackType
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from service_kit.build_info import show_build_info
from service_kit.http_metrics import HttpMetrics

show_build_info("stock_api")

HTTP: Final = HttpMetrics("stock_api")

RATE_LIMITED: Final = Counter(
    "stock_api_rate_limited",
    "Requests refused with 429, by the limit that they met (address, login, quotes, reads).",
    ["limit"],
)
LOGINS: Final = Counter(
    "stock_api_logins",
    "Log-ins, by outcome (succeeded, wrong-password, unknown-user, inactive, throttled).",
    ["outcome"],
)

DATABASE_TROUBLES: Final = Counter(
    "stock_api_database_troubles",
    "What the database did wrong, by its name in the log without db. (unavailable, locked, full, readonly,"
    " commit_unknown, failed, pool_timeout, write_queue_timeout). A save that is locked is tried once more.",
    ["trouble"],
)
HISTORY_SAVE_SECONDS: Final = Histogram(
    "stock_api_history_save_duration_seconds",
    "Seconds of a transaction that saves what was served, trying it once more included, by result (saved, failed).",
    ["result"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0),
)
HISTORY_SAVE_REQUESTS: Final = Histogram(
    "stock_api_history_save_requests",
    "Requests whose rows one such transaction saves.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)

RPC_CALL_SECONDS: Final = Histogram(
    "rpc_client_call_duration_seconds",
    "Seconds of a call to the stock service, sending it once more included, by result (ok, timeout, no-server,"
    " overloaded, broker-unavailable, connection-lost, remote-error, closed).",
    ["result"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0),
)
RPC_IN_FLIGHT: Final = Gauge(
    "rpc_client_calls_in_flight", "Calls to the stock service that wait for a reply.", multiprocess_mode="livesum"
)
RPC_CONNECTED: Final = Gauge(
    "rpc_client_connected",
    "1 while every process that calls the stock service has its connection to the broker, else 0.",
    ["queue"],
    multiprocess_mode="livemin",
)
RPC_CONNECTIONS: Final = Counter("rpc_client_connections", "Connections to the broker that were made.")
RPC_DISCONNECTIONS: Final = Counter(
    "rpc_client_disconnections", "Connections to the broker that were lost, and attempts that failed."
)
RPC_REPEATED: Final = Counter("rpc_client_repeated_calls", "Calls that lost their connection and were sent once more.")
RPC_RETURNED: Final = Counter("rpc_client_returned_calls", "Calls that the broker returned: it had no queue for them.")
RPC_REFUSED: Final = Counter("rpc_client_refused_calls", "Calls that the broker refused: the queue was full.")
RPC_ORPHANS: Final = Counter("rpc_client_orphan_replies", "Replies that nobody waited for any more.")


_SAVED, _FAILED = (HISTORY_SAVE_SECONDS.labels(result) for result in ("saved", "failed"))


class Saving:
    """The block is one transaction that saves what so many requests are answered with.

    :param failure: what it raises when the database fails; after another error there was nothing to save.
    """

    __slots__ = ("_began_at", "_failure", "_requests")

    def __init__(self, requests: int, failure: type[Exception]) -> None:
        self._requests = requests
        self._failure = failure

    def __enter__(self) -> None:
        self._began_at = time.perf_counter()

    def __exit__(self, error: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if error is None or issubclass(error, self._failure):
            (_FAILED if error else _SAVED).observe(time.perf_counter() - self._began_at)
            HISTORY_SAVE_REQUESTS.observe(self._requests)
