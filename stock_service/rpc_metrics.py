"""Counts the requests from the queue, as an observer of the RPC server."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter

from amqp_rpc import ServerEvent
from stock_service import metrics

_COUNTERS: Final[Mapping[ServerEvent, Counter]] = {
    ServerEvent.CONSUMING: metrics.RPC_CONNECTIONS,
    ServerEvent.DISCONNECTED: metrics.RPC_DISCONNECTIONS,
    ServerEvent.REDELIVERED: metrics.RPC_REDELIVERED,
    ServerEvent.EXPIRED: metrics.RPC_EXPIRED,
    ServerEvent.BAD_REQUEST: metrics.RPC_BAD_REQUESTS,
}
_CONSUMING: Final = {ServerEvent.CONSUMING: 1, ServerEvent.DISCONNECTED: 0}


class RpcMetrics:
    """A `ServerObserver`."""

    def __init__(self) -> None:
        # Looked up here and not with every request; and from the start there is a 0 to compare with.
        self._ok, self._failed = (metrics.RPC_HANDLING_SECONDS.labels(result) for result in ("ok", "failed"))

    def began(self, waited: float | None) -> None:
        metrics.RPC_IN_HAND.inc()
        if waited is not None:
            metrics.RPC_QUEUE_SECONDS.observe(waited)

    def ended(self, seconds: float, *, failed: bool) -> None:
        metrics.RPC_IN_HAND.dec()
        (self._failed if failed else self._ok).observe(seconds)

    def happened(self, event: ServerEvent) -> None:
        _COUNTERS[event].inc()
        if event in _CONSUMING:
            metrics.RPC_CONSUMING.set(_CONSUMING[event])
