"""The stock service over HTTP: for trying the system without a broker."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Final, TypeVar

import requests
import urllib3

from api_service.stock_clients.base import (
    BadStockReplyError,
    StockServiceError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.replies import MAX_REPLY_BYTES, checked, checked_providers, served
from service_kit import time_budget
from service_kit.deadline import Deadline
from service_kit.request_ids import current_request_id, new_request_id
from service_kit.traces import trace_headers
from service_kit.tracing import SpanKind, span
from stock_contract import (
    Failure,
    ProviderStatus,
    Quote,
    decode_provider_status_reply,
    decode_reply,
    load_failure,
    load_quote,
)

Reply = TypeVar("Reply")

_ONE_QUOTE: Final = "/api/v1/stock"
_QUOTES: Final = "/api/v1/quotes"
_PROVIDERS: Final = "/api/v1/providers"
_HEALTH: Final = "/healthz"


class _ConnectionLostError(Exception):
    """A connection that was open ended before the answer."""


class HttpStockClient:
    """Makes one request for each call, over connections that are kept open."""

    def __init__(self, base_url: str, max_connections: int = 64) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between our own two services
        self._session.headers.update({"Accept-Encoding": "identity"})
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=max_connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        """See `StockClient.quotes`."""
        if len(symbols) == 1:
            one = self._call(_ONE_QUOTE, {"stock_code": symbols[0]}, request_id, deadline, _decode_quote)
            return checked(symbols, [one])
        several = self._call(_QUOTES, {"symbols": ",".join(symbols)}, request_id, deadline, decode_reply)
        return checked(symbols, served(several).results)

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        """See `StockClient.provider_status`."""
        reply = self._call(_PROVIDERS, {}, request_id, deadline, decode_provider_status_reply)
        return checked_providers(served(reply).providers)

    def reachable(self, deadline: Deadline) -> bool:
        """See `StockClient.reachable`; this is whether it answers that it is alive."""
        try:
            status, _ = self._get(_HEALTH, {}, current_request_id() or new_request_id(), deadline)
        except (StockServiceError, _ConnectionLostError):
            return False
        return status == HTTPStatus.OK

    def prepare(self, deadline: Deadline) -> None:
        """Nothing: a connection is made in a moment, and each call may need one of its own."""

    def close(self) -> None:
        self._session.close()

    def _call(
        self,
        path: str,
        params: Mapping[str, str],
        request_id: str,
        deadline: Deadline,
        decode: Callable[[bytes], Reply | Failure],
    ) -> Reply | Failure:
        with span(f"GET {path}", SpanKind.CLIENT, {"http.request.method": "GET"}) as asking:
            status, body = self._get_twice(path, params, request_id, deadline)
            asking.set_attribute("http.response.status_code", status)
            return _read(status, body, decode)

    def _get_twice(
        self, path: str, params: Mapping[str, str], request_id: str, deadline: Deadline
    ) -> tuple[int, bytes]:
        try:
            return self._get(path, params, request_id, deadline)
        except _ConnectionLostError:
            # Once more: it may have been a kept connection that the other side closed while it was idle.
            try:
                return self._get(path, params, request_id, deadline)
            except _ConnectionLostError as error:
                raise StockServiceUnavailableError(UnavailableReason.SERVER) from error

    def _get(self, path: str, params: Mapping[str, str], request_id: str, deadline: Deadline) -> tuple[int, bytes]:
        left = deadline.remaining()
        headers = {"X-Budget-Ms": str(int(left * 1000)), "X-Request-ID": request_id, **trace_headers()}
        if left <= 0:
            raise StockServiceTimeoutError
        with (
            _http_errors_named(deadline),
            self._session.get(
                self._base_url + path,
                params=params,
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
        body: bytes = response.raw.read(MAX_REPLY_BYTES + 1, decode_content=False)
    finally:
        watchdog.cancel()
    if deadline.expired:
        raise StockServiceTimeoutError
    if len(body) > MAX_REPLY_BYTES:
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


def _decode_quote(body: bytes) -> Quote:
    return load_quote(json.loads(body))


def _read(status: int, body: bytes, decode: Callable[[bytes], Reply | Failure]) -> Reply | Failure:
    try:
        return decode(body) if status == HTTPStatus.OK else load_failure(json.loads(body))
    except (ValueError, RecursionError) as error:  # a message that is malformed is a ValueError too
        raise BadStockReplyError(f"status {status} with a body that cannot be read") from error
