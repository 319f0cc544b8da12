"""Runs one network try in a thread that its caller can walk away from.

A socket time-out covers neither the name look-up nor a server that sends a byte now and then, so the caller waits for
the thread with its own deadline. When it gives up, the connection is cut, which ends a thread that is connected; one
that hangs in the resolver ends when the resolver does, and sends nothing any more.
"""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, Final, TypeVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from service_kit.deadline import Deadline
from stock_service.providers.base import FailureKind, ProviderError

_T = TypeVar("_T")

_POOLED_CONNECTIONS: Final = 256
"""As many as there can be worker threads; an idle one costs a file descriptor."""


class Attempt:
    """What is known of one try: the socket it uses, and whether anybody still waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._abandoned = False

    def use(self, connected: socket.socket | None) -> None:
        """Called by the try's own thread when it has a socket, or is about to connect one.

        :raises ConnectionAbortedError: nobody waits any more.
        """
        with self._lock:
            self._socket = connected
            if self._abandoned:
                raise ConnectionAbortedError

    def abandon(self) -> None:
        """Called by the waiting thread when it gives up: cuts the connection.

        A try that ends in this very instant may have handed its connection on; the other try then takes its second
        chance, as it would for a connection that the server closed.
        """
        with self._lock:
            self._abandoned = True
            if self._socket:
                with suppress(OSError):  # it may have been closed by either side in the meantime
                    self._socket.shutdown(socket.SHUT_RDWR)


_current: Final = threading.local()


class AttemptRunner:
    """Runs tries one by one for each caller; refuses new ones while `max_stuck` abandoned ones have not ended."""

    def __init__(self, max_stuck: int) -> None:
        self._max_stuck = max_stuck
        self._lock = threading.Lock()
        self._stuck: set[threading.Thread] = set()

    def run(self, work: Callable[[], _T], deadline: Deadline) -> _T:
        """The result of `work`, or its exception.

        :raises ProviderError: time-out, or unreachable when too many tries are stuck.
        """
        if self.stuck() >= self._max_stuck:
            raise ProviderError(FailureKind.UNREACHABLE, detail="too many tries are stuck")
        attempt, outcome = Attempt(), Future[_T]()
        thread = threading.Thread(target=_carry_out, args=(attempt, work, outcome), name="fetch", daemon=True)
        thread.start()
        if not wait([outcome], deadline.remaining()).done:
            attempt.abandon()
            with self._lock:
                self._stuck.add(thread)
            raise ProviderError(FailureKind.TIMEOUT, detail="abandoned")
        return outcome.result()

    def stuck(self) -> int:
        """How many abandoned tries have not ended yet."""
        with self._lock:
            self._stuck = {thread for thread in self._stuck if thread.is_alive()}
            return len(self._stuck)


def _carry_out(attempt: Attempt, work: Callable[[], _T], outcome: Future[_T]) -> None:
    _current.attempt = attempt
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001  it is raised again in the thread that waits
        outcome.set_exception(error)


class _Connection(HTTPConnection):
    """Tells the current attempt which socket it uses.

    The attempt keeps the socket, not the connection: when the server is going to close it, http.client makes the
    connection forget its socket before the body is read.
    """

    def connect(self) -> None:
        super().connect()
        _current.attempt.use(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.attempt.use(self.sock)
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class AttemptAdapter(HTTPAdapter):
    """Connections that an `Attempt` can cut. It never retries: urllib3 would obey a `Retry-After` of hours."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_POOLED_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
