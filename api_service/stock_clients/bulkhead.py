"""Keeps calls to the stock service from taking every thread: log-in and history answer while it is slow or away."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from api_service.stock_clients.base import StockClient, StockServiceUnavailableError, UnavailableReason
from service_kit.deadline import Deadline
from stock_contract import Failure, ProviderStatus, Quote


class Bulkhead:
    """A `StockClient` that lets `limit` calls at a time through to another one and refuses more.

    A call that waited for a thread instead would get its answer after its time: the deadline of a request begins
    when a thread takes it.

    :param patience: seconds that a call waits for a place, in which a burst of quick ones passes.
    """

    def __init__(self, client: StockClient, limit: int, patience: float = 0.5) -> None:
        self._client = client
        self._patience = patience
        self._slots = threading.BoundedSemaphore(limit)

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """See `StockClient.quotes`."""
        with self._slot(deadline):
            return self._client.quotes(symbols, request_id=request_id, deadline=deadline)

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        """See `StockClient.provider_status`."""
        with self._slot(deadline):
            return self._client.provider_status(request_id=request_id, deadline=deadline)

    def reachable(self, deadline: Deadline) -> bool:
        """See `StockClient.reachable`."""
        return self._client.reachable(deadline)

    def prepare(self, deadline: Deadline) -> None:
        self._client.prepare(deadline)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _slot(self, deadline: Deadline) -> Iterator[None]:
        if not self._slots.acquire(timeout=min(self._patience, deadline.remaining())):
            raise StockServiceUnavailableError(UnavailableReason.OVERLOADED)
        try:
            yield
        finally:
            self._slots.release()
