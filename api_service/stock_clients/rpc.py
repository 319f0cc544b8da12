"""The stock service over RabbitMQ RPC."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from amqp_rpc import errors
from api_service.stock_clients.base import (
    BadStockReplyError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.replies import MAX_REPLY_BYTES, checked, checked_providers, served
from service_kit.deadline import Deadline
from service_kit.trace_context import REQUEST_ID
from service_kit.traces import trace_headers
from service_kit.tracing import Attribute, Span, SpanKind, span
from stock_contract import (
    ErrorCode,
    Failure,
    MalformedMessageError,
    ProviderStatus,
    ProviderStatusRequest,
    Quote,
    QuoteRequest,
    decode_provider_status_reply,
    decode_reply,
    encode_provider_status_request,
    encode_request,
)

Reply = TypeVar("Reply")


class RpcConnection(Protocol):
    """What is needed of `amqp_rpc.RpcClient`."""

    def call(self, body: bytes, *, deadline: Deadline, headers: Mapping[str, str]) -> bytes: ...

    def reachable(self, patience: Deadline) -> bool: ...

    def wait_until_connected(self, deadline: Deadline) -> bool: ...

    def close(self) -> None: ...


class RpcStockClient:
    """Calls over one connection for each process, made by `prepare` or on first use.

    A server process forks its workers after this object exists, and a connection must not be shared by two processes;
    so the connection is made anew where the process id is another one.
    """

    def __init__(self, connect: Callable[[], RpcConnection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: RpcConnection | None = None
        self._owner = 0

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """See `StockClient.quotes`."""
        request = encode_request(QuoteRequest(request_id=request_id, symbols=tuple(symbols)))
        with _client_span("quotes"):
            return checked(symbols, self._call(request, request_id, deadline, decode_reply).results)

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        """See `StockClient.provider_status`."""
        request = encode_provider_status_request(ProviderStatusRequest(request_id=request_id))
        with _client_span("provider_status"):
            reply = self._call(request, request_id, deadline, decode_provider_status_reply)
            return checked_providers(reply.providers)

    def reachable(self, deadline: Deadline) -> bool:
        """See `StockClient.reachable`; this is what the connection knows of the broker and of who serves."""
        return self._connected().reachable(deadline)

    def prepare(self, deadline: Deadline) -> None:
        self._connected().wait_until_connected(deadline)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None and self._owner == os.getpid():
            connection.close()

    def _call(
        self, request: bytes, request_id: str, deadline: Deadline, decode: Callable[[bytes], Reply | Failure]
    ) -> Reply:
        # The id is in the body too; in a header also those find it who do not read the body.
        headers = {REQUEST_ID: request_id, **trace_headers()}
        with _rpc_errors_named():
            body = self._connected().call(request, deadline=deadline, headers=headers)
        if len(body) > MAX_REPLY_BYTES:
            raise BadStockReplyError("a body that is too large")
        try:
            reply = decode(body)
        except MalformedMessageError as error:
            raise BadStockReplyError(str(error)) from error
        return served(reply)

    def _connected(self) -> RpcConnection:
        connection = self._connection
        if connection is not None and self._owner == os.getpid():
            return connection
        with self._lock:
            if self._connection is None or self._owner != os.getpid():
                self._owner, self._connection = os.getpid(), self._connect()
            return self._connection


def _client_span(method: str) -> AbstractContextManager[Span]:
    attributes: dict[str, Attribute] = {"rpc.system": "rabbitmq", "rpc.service": "stock_service", "rpc.method": method}
    return span(f"stock_service/{method}", SpanKind.CLIENT, attributes)


@contextmanager
def _rpc_errors_named() -> Iterator[None]:
    try:
        yield
    except errors.CallTimeoutError as error:
        raise StockServiceTimeoutError from error
    except errors.RemoteError as error:
        raise StockServiceFailedError(Failure(ErrorCode.INTERNAL)) from error
    except errors.NoServerError as error:
        raise StockServiceUnavailableError(UnavailableReason.SERVER) from error
    except errors.OverloadedError as error:
        raise StockServiceUnavailableError(UnavailableReason.OVERLOADED) from error
    except errors.UnavailableError as error:
        raise StockServiceUnavailableError(UnavailableReason.BROKER) from error
