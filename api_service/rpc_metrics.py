"""Counts the calls to the stock service, as an observer of the RPC client."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter

from amqp_rpc import (
    BrokerUnavailableError,
    CallTimeoutError,
    ClientClosedError,
    ClientEvent,
    ConnectionLostError,
    NoServerError,
    OverloadedError,
    RemoteError,
    RpcError,
)
from api_service import metrics
from stock_contract import REQUEST_QUEUE

RESULTS: Final[Mapping[type[RpcError], str]] = {
    CallTimeoutError: "timeout",
    NoServerError: "no-server",
    OverloadedError: "overloaded",
    BrokerUnavailableError: "broker-unavailable",
    ConnectionLostError: "connection-lost",
    RemoteError: "remote-error",
    ClientClosedError: "closed",
}
_COUNTERS: Final[Mapping[ClientEvent, Counter]] = {
    ClientEvent.CONNECTED: metrics.RPC_CONNECTIONS,
    ClientEvent.DISCONNECTED: metrics.RPC_DISCONNECTIONS,
    ClientEvent.REPEATED: metrics.RPC_REPEATED,
    ClientEvent.RETURNED: metrics.RPC_RETURNED,
    ClientEvent.REFUSED: metrics.RPC_REFUSED,
    ClientEvent.ORPHAN_REPLY: metrics.RPC_ORPHANS,
}
_CONNECTED: Final = {ClientEvent.CONNECTED: 1, ClientEvent.DISCONNECTED: 0}


class RpcMetrics:
    """A `ClientObserver`."""

    def __init__(self) -> None:
        # Looked up here and not with every call; and from the start there is a 0 to compare with.
        self._ok = metrics.RPC_CALL_SECONDS.labels("ok")
        self._failed = {error: metrics.RPC_CALL_SECONDS.labels(result) for error, result in RESULTS.items()}

    def began(self) -> None:
        metrics.RPC_IN_FLIGHT.inc()

    def ended(self, seconds: float, error: RpcError | None) -> None:
        metrics.RPC_IN_FLIGHT.dec()
        (self._ok if error is None else self._failed[type(error)]).observe(seconds)

    def happened(self, event: ClientEvent) -> None:
        _COUNTERS[event].inc()
        if event in _CONNECTED:
            metrics.RPC_CONNECTED.labels(REQUEST_QUEUE).set(_CONNECTED[event])
