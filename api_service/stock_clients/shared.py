"""Lets calls for the same symbols that are under way at the same time share one answer."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Final, TypeAlias

from api_service.stock_clients.base import StockClient, StockServiceError, StockServiceTimeoutError
from service_kit.deadline import Deadline
from service_kit.single_flight import SingleFlight
from stock_contract import Failure, ProviderStatus, Quote

_Symbols: TypeAlias = tuple[str, ...]
_Outcome: TypeAlias = tuple[Quote | Failure, ...] | StockServiceError

_TIMED_OUT: Final = StockServiceTimeoutError()


class SharedCalls:
    """A `StockClient` before another one: of the calls for the same symbols one at a time goes through.

    The stock service does the same for all its callers, and decides how old a quote may be; what is saved is the way
    there and back, for a popular stock nearly all of it. An answer may have been made before who shares it came, by as
    long as a call takes. A failure is shared as well, and a call that runs out of time under another one's deadline is
    made again by who has clearly more. The stock service's log names the request that came first.
    """

    def __init__(self, client: StockClient) -> None:
        self._client = client
        self._flights: SingleFlight[_Symbols, _Outcome] = SingleFlight(_TIMED_OUT)

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """See `StockClient.quotes`."""
        wanted = tuple(map(str.upper, symbols))

        def ask(_: Sequence[_Symbols], within: Deadline) -> Mapping[_Symbols, _Outcome]:
            return {wanted: self._asked(symbols, request_id, within)}

        outcome = self._flights.run([wanted], deadline, ask)[wanted]
        if isinstance(outcome, StockServiceError):
            raise copy(outcome)  # each caller one of its own, for a raised one keeps a traceback
        return outcome

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        """See `StockClient.provider_status`."""
        return self._client.provider_status(request_id=request_id, deadline=deadline)

    def reachable(self, deadline: Deadline) -> bool:
        """See `StockClient.reachable`."""
        return self._client.reachable(deadline)

    def prepare(self, deadline: Deadline) -> None:
        self._client.prepare(deadline)

    def close(self) -> None:
        self._client.close()

    def _asked(self, symbols: Sequence[str], request_id: str, deadline: Deadline) -> _Outcome:
        try:
            return self._client.quotes(symbols, request_id=request_id, deadline=deadline)
        except StockServiceTimeoutError:
            return _TIMED_OUT
        except StockServiceError as error:
            return error
