"""The one way to the network: one GET within a deadline, at most two tries, at most so many bytes.

Constant host, certificate checks on, no redirects, no cookies, nothing taken from the environment.
"""

import random
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Self
from urllib.parse import urlsplit

import requests
import urllib3

from service_kit.deadline import Deadline
from service_kit.request_ids import current_request_id
from service_kit.time_budget import UPSTREAM_CONNECT, UPSTREAM_READ
from service_kit.traces import trace_headers
from service_kit.tracing import Attribute, SpanKind, span
from stock_service.attempts import AttemptAdapter, AttemptRunner
from stock_service.providers.base import MAX_BODY_BYTES, FailureKind, ProviderError, Response

_MAX_STUCK: Final = 32
_RETRY_PAUSE: Final = (0.05, 0.15)
"""Seconds, chosen at random between the two, so that callers that failed together do not return together."""

_RETRIED: Final = frozenset(range(500, 600))
_TOO_MANY_REQUESTS: Final = 429
_GZIP_OR_ZLIB: Final = 47
"""zlib's `wbits` for "look at the header" (https://docs.python.org/3/library/zlib.html#zlib.decompress)."""


class ConnectionFailedError(ProviderError):
    """There was no connection, or it broke: worth a second try."""

    def __init__(self, detail: str) -> None:
        super().__init__(FailureKind.UNREACHABLE, detail=detail)


class Fetcher:
    """Fetches with a pool of kept-alive connections; safe to share among threads.

    One per provider, so that a provider whose tries get stuck (more than `max_stuck` abandoned ones that have not
    ended) is refused at once without taking the others along.
    """

    def __init__(self, user_agent: str, max_stuck: int = _MAX_STUCK) -> None:
        self._session = _session(user_agent)
        self._runner = AttemptRunner(max_stuck)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def stuck(self) -> int:
        """How many abandoned tries have not ended yet."""
        return self._runner.stuck()

    def fetch(
        self,
        url: str,
        params: Mapping[str, str] | str,
        deadline: Deadline,
        max_bytes: int = MAX_BODY_BYTES,
        *,
        headers: Mapping[str, str] | None = None,
        second_url: str | None = None,
        again: bool = True,
    ) -> Response:
        """GET `url`; a second try follows a failed connection or a 5xx, if there is time.

        :param max_bytes: of the body, before and after decompression.
        :param headers: sent with the request, and never logged.
        :param second_url: where the second try goes; with one, it follows a 429 too.
        :param again: whether there may be a second try.
        :raises ProviderError: time-out; unreachable; malformed when the body is too large or cannot be decompressed.
        """
        statuses = _RETRIED if second_url is None else _RETRIED | {_TOO_MANY_REQUESTS}
        try:
            response = self._try(url, params, headers, deadline, max_bytes)
        except ConnectionFailedError:
            if not (again and _pause(deadline)):
                raise
        else:
            if response.status not in statuses or not (again and _pause(deadline)):
                return response
        return self._try(second_url or url, params, headers, deadline, max_bytes)

    def _try(
        self,
        url: str,
        params: Mapping[str, str] | str,
        headers: Mapping[str, str] | None,
        deadline: Deadline,
        max_bytes: int,
    ) -> Response:
        if deadline.expired:
            raise ProviderError(FailureKind.TIMEOUT, detail="no time left to ask")

        with span("GET", SpanKind.CLIENT, _told_of(url)) as asking:
            sent = {**(headers or {}), **_names()}  # here: the try has a thread of its own

            def work() -> Response:
                with _translated(), self._get(url, params, sent, deadline) as answer:
                    body = _read(answer.raw, max_bytes)
                received = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status_code, _decompressed(body, received, max_bytes), received)

            response = self._runner.run(work, deadline)
            asking.set_attribute("http.response.status_code", response.status)
            return response

    def _get(
        self, url: str, params: Mapping[str, str] | str, headers: Mapping[str, str], deadline: Deadline
    ) -> requests.Response:
        left = max(deadline.remaining(), 0.001)  # urllib3 refuses a time-out of nothing
        timeout = (min(UPSTREAM_CONNECT, left), min(UPSTREAM_READ, left))
        return self._session.get(
            url, params=params, headers=headers, timeout=timeout, stream=True, allow_redirects=False
        )


def _told_of(url: str) -> dict[str, Attribute]:
    """Of an address only the host is told."""
    return {"http.request.method": "GET", "server.address": urlsplit(url).hostname or ""}


def _names() -> dict[str, str]:
    """By what a provider, or a proxy on the way to it, can name the call to us: random, and nothing of the caller."""
    request_id = current_request_id()
    return {**({"X-Request-ID": request_id} if request_id else {}), **trace_headers()}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No answer leads elsewhere. Told that one does, requests reads its whole body, even when not following."""


def _session(user_agent: str) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no proxy, no .netrc, no certificate bundle from the environment
    session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "identity"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, AttemptAdapter())
    return session


def _pause(deadline: Deadline) -> bool:
    """Wait a little before a second try; False, at once, when there would be no time left for it."""
    seconds = random.uniform(*_RETRY_PAUSE)  # noqa: S311  nothing secret about it
    if deadline.remaining() <= seconds:
        return False
    time.sleep(seconds)
    return True


@contextmanager
def _translated() -> Iterator[None]:
    """Let no exception of requests or urllib3 out; their texts hold addresses, so only their names are kept."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise ProviderError(FailureKind.TIMEOUT, detail=type(error).__name__) from error
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise ProviderError(FailureKind.UNREACHABLE, detail="tls") from error
    except (OSError, urllib3.exceptions.HTTPError) as error:  # every exception of requests is an OSError
        raise ConnectionFailedError(type(error).__name__) from error


def _read(raw: Any, max_bytes: int) -> bytes:
    """The body as it was sent: what reads and decompresses in one step has no limit on what it takes in."""
    body = bytearray()
    while chunk := raw.read1(max_bytes + 1 - len(body), decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise ProviderError(FailureKind.MALFORMED, detail="body too large")
    return bytes(body)


def _decompressed(body: bytes, headers: Mapping[str, str], max_bytes: int) -> bytes:
    """Some servers compress although they were asked not to."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity" or not body:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise ProviderError(FailureKind.MALFORMED, detail="unknown content encoding")
    decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise ProviderError(FailureKind.MALFORMED, detail="cannot be decompressed") from error
    if len(plain) > max_bytes:
        raise ProviderError(FailureKind.MALFORMED, detail="body too large when decompressed")
    if not decompressor.eof:
        raise ProviderError(FailureKind.MALFORMED, detail="compressed body is truncated")
    return plain
