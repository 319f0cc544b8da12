"""The stock service over HTTP: for trying the system without a broker."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3

from api_service.stock_clients.base import (
    BadStockReplyError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.replies import checked
from service_kit import time_budget
from service_kit.deadline import Deadline
from stock_contract import Failure, Quote, load_failure, load_quote

_PATH: Final = "/api/v1/stock"
_MAX_BODY_BYTES: Final = 64 * 1024
_MAX_CONNECTIONS: Final = 32


class _ConnectionLostError(Exception):
    """A connection that was open ended before the answer."""


class HttpStockClient:
    """Asks for one symbol after the other, over connections that are kept open, all within one deadline."""

    def __init__(self, base_url: str) -> None:
        self._url = base_url.rstrip("/") + _PATH
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between our own two services
        self._session.headers.update({"Accept-Encoding": "identity"})
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=_MAX_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """See `StockClient.quotes`."""
        return checked(symbols, [self._quote(symbol, request_id, deadline) for symbol in symbols])

    def close(self) -> None:
        self._session.close()

    def _quote(self, symbol: str, request_id: str, deadline: Deadline) -> Quote | Failure:
        try:
            status, body = self._get(symbol, request_id, deadline)
        except _ConnectionLostError:
            # Once more: it may have been a kept connection that the other side closed while it was idle.
            try:
                status, body = self._get(symbol, request_id, deadline)
            except _ConnectionLostError as error:
                raise StockServiceUnavailableError(UnavailableReason.SERVER) from error
        return _read(status, body)

    def _get(self, symbol: str, request_id: str, deadline: Deadline) -> tuple[int, bytes]:
        left = deadline.remaining()
        headers = {"X-Budget-Ms": str(int(left * 1000)), "X-Request-ID": request_id}
        if left <= 0:
            raise StockServiceTimeoutError
        with (
            _http_errors_named(deadline),
            self._session.get(
                self._url,
                params={"stock_code": symbol},
                headers=headers,
                timeout=(min(left, time_budget.UPSTREAM_CONNECT), left),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return response.status_code, _body(response, deadline)


def _body(response: requests.Response, deadline: Deadline) -> bytes:
    """The body, ended by force at the deadline: the time-out of requests is for each wait between two bytes."""
    watchdog = threading.Timer(deadline.remaining(), _cut_off, (response.raw,))
    watchdog.daemon = True
    watchdog.start()
    try:
        body: bytes = response.raw.read(_MAX_BODY_BYTES + 1, decode_content=False)
    finally:
        watchdog.cancel()
    if deadline.expired:
        raise StockServiceTimeoutError
    if len(body) > _MAX_BODY_BYTES:
        raise BadStockReplyError("a body that is too large")
    return body


def _cut_off(raw: urllib3.HTTPResponse) -> None:
    with suppress(OSError, RuntimeError, ValueError):  # it has ended in this moment
        raw.shutdown()


@contextmanager
def _http_errors_named(deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except requests.ConnectTimeout as error:
        raise StockServiceUnavailableError(UnavailableReason.SERVER) from error
    except requests.Timeout as error:
        raise StockServiceTimeoutError from error
    except requests.ConnectionError as error:
        raise _connection_error(error.args[0]) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if deadline.expired:
            raise StockServiceTimeoutError from error
        raise BadStockReplyError("not an HTTP answer") from error


def _connection_error(cause: object) -> Exception:
    if not isinstance(cause, urllib3.exceptions.ProtocolError):
        return StockServiceUnavailableError(UnavailableReason.SERVER)
    if isinstance(cause.args[-1], OSError):  # closed or reset; anything else is an answer that is not HTTP
        return _ConnectionLostError()
    return BadStockReplyError("not an HTTP answer")


def _read(status: int, body: bytes) -> Quote | Failure:
    try:
        message: Any = json.loads(body)
        return load_quote(message) if status == HTTPStatus.OK else load_failure(message)
    except (ValueError, RecursionError) as error:  # a message that is malformed is a ValueError too
        raise BadStockReplyError(f"status {status} with a body that cannot be read") from error
