"""The stock service over RabbitMQ RPC."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from amqp_rpc import errors
from api_service.stock_clients.base import (
    BadStockReplyError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.replies import checked
from service_kit.deadline import Deadline
from stock_contract import (
    ErrorCode,
    Failure,
    MalformedMessageError,
    Quote,
    QuoteRequest,
    decode_reply,
    encode_request,
)


class RpcConnection(Protocol):
    """What is needed of `amqp_rpc.RpcClient`."""

    def call(self, body: bytes, *, deadline: Deadline) -> bytes: ...

    def close(self) -> None: ...


class RpcStockClient:
    """Calls over one connection for each process, made on first use.

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
        try:
            with _rpc_errors_named():
                body = self._connected().call(request, deadline=deadline)
        except errors.RemoteError:
            return (Failure(ErrorCode.INTERNAL),) * len(symbols)
        return _read(symbols, body)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None and self._owner == os.getpid():
            connection.close()

    def _connected(self) -> RpcConnection:
        connection = self._connection
        if connection is not None and self._owner == os.getpid():
            return connection
        with self._lock:
            if self._connection is None or self._owner != os.getpid():
                self._owner, self._connection = os.getpid(), self._connect()
            return self._connection


@contextmanager
def _rpc_errors_named() -> Iterator[None]:
    try:
        yield
    except errors.CallTimeoutError as error:
        raise StockServiceTimeoutError from error
    except errors.NoServerError as error:
        raise StockServiceUnavailableError(UnavailableReason.SERVER) from error
    except errors.OverloadedError as error:
        raise StockServiceUnavailableError(UnavailableReason.OVERLOADED) from error
    except errors.UnavailableError as error:
        raise StockServiceUnavailableError(UnavailableReason.BROKER) from error


def _read(symbols: Sequence[str], body: bytes) -> tuple[Quote | Failure, ...]:
    try:
        reply = decode_reply(body)
    except MalformedMessageError as error:
        raise BadStockReplyError(str(error)) from error
    if isinstance(reply, Failure):
        return (reply,) * len(symbols)
    return checked(symbols, reply.results)
