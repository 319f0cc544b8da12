"""One broker connection and the one thread that may touch it: connects, reconnects for ever, and runs the I/O loop."""

import collections
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, Protocol, TypeVar

import pika
from pika.adapters.select_connection import IOLoop

from amqp_rpc.backoff import Backoff
from amqp_rpc.corked_connection import CorkedConnection

_log = logging.getLogger(__name__)

_STABLE_AFTER: Final = 10.0
"""Seconds after which a connection counts as a good one."""

_CLOSE_TIMEOUT: Final = 1.0
"""Seconds for the closing handshake; then the connection is dropped."""

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)


class Session(Protocol[Item_contra]):
    """What is done on the connection. Every method runs on the I/O thread."""

    def opened(self, connection: CorkedConnection) -> None:
        """A new connection is open; earlier channels and delivery tags are void."""

    def lost(self) -> None:
        """The connection was lost, or an attempt failed."""

    def send(self, item: Item_contra) -> None:
        """Take one submitted item to be sent on the open connection, at the latest with the next `flush`."""

    def flush(self) -> None:
        """No more items are ready: send those that were held back. An error here costs the connection."""

    def drop(self, item: Item_contra) -> None:
        """A submitted item cannot be sent: there is no connection."""


class AmqpConnection(Generic[Item]):
    """Keeps a connection up, and carries items from any thread to the I/O thread.

    Items that are ready together are sent together, and the I/O thread is woken only when it sleeps.
    """

    def __init__(self, parameters: pika.URLParameters, session: Session[Item], role: str) -> None:
        self._parameters = parameters
        self._session = session
        self._role = role
        self._loop = IOLoop()
        self._connection: CorkedConnection | None = None
        self._outbox: collections.deque[Item] = collections.deque()
        self._wake_pending = False
        self._backoff = Backoff()
        self._opened_at = float("inf")
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"amqp-{role}", daemon=True)

    def start(self) -> None:
        """:raises OSError: the process has no file descriptor left."""
        self._loop.activate_poller()
        self._loop.add_callback_threadsafe(self._connect)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Have `item` sent soon; from any thread, never waits."""
        self._outbox.append(item)
        if not self._wake_pending:
            self._wake_pending = True
            self._loop.add_callback_threadsafe(self._flush)

    def run_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the I/O thread; from any thread."""
        self._loop.add_callback_threadsafe(callback)

    def run_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Run `callback` after that many seconds; only from the I/O thread."""
        self._loop.call_later(seconds, callback)

    def abort(self, event: str) -> None:
        """Drop the connection and make a new one; only from the I/O thread. `event` names the reason in the log."""
        if self._connection is not None and not self._connection.is_closed:
            self._connection.abort(ConnectionAbortedError(event))

    def close(self) -> None:
        """Send what is waiting, close, and end the thread; from any other thread, safe to repeat."""
        if self._thread.is_alive():
            self._loop.add_callback_threadsafe(self._begin_close)
            self._thread.join(2 * _CLOSE_TIMEOUT)

    # From here on everything runs on the I/O thread.

    def _run(self) -> None:
        # Turn by turn, not by the loop's own `start`: an exception that leaves that one closes its poller, and where
        # no file descriptor is left for a new poller it can never be started again.
        while not self._ended:
            try:
                self._loop.poll()
                self._loop.process_timeouts()
            except Exception as error:  # noqa: BLE001  no defect may end the only thread that serves every call
                self._recover(error)
        self._loop.deactivate_poller()
        self._loop.close()

    def _recover(self, error: Exception) -> None:
        if self._closing:  # pika stumbles when it is closed in the middle of a handshake
            _log.debug("rpc.io_failed", exc_info=error, extra=self._where())
        else:
            _log.error("rpc.io_failed", exc_info=error, extra=self._where())
        with suppress(Exception):  # what is broken may break once more while it is dropped
            self.abort("rpc.io_failed")

    def _connect(self) -> None:
        if self._closing:
            return
        self._connection = CorkedConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_open_error,
            on_close_callback=self._on_close,
            custom_ioloop=self._loop,
        )

    def _on_open(self, connection: CorkedConnection) -> None:
        _log.info("rpc.connected", extra=self._where())
        self._opened_at = time.monotonic()
        self._session.opened(connection)

    def _on_open_error(self, _connection: CorkedConnection, error: BaseException) -> None:
        self._after_failure("rpc.connect_failed", error)

    def _on_close(self, _connection: CorkedConnection, error: BaseException) -> None:
        self._after_failure("rpc.connection_lost", error)

    def _after_failure(self, event: str, error: BaseException) -> None:
        self._connection = None
        if self._closing:
            self._ended = True
        else:
            self._connect_later(event, error)
        self._session.lost()
        self._drop_outbox()

    def _connect_later(self, event: str, error: BaseException) -> None:
        # Being connected is not enough to start the backoff anew: a broker that accepts a connection and then closes
        # it for something that we do would be asked again without pause.
        if time.monotonic() - self._opened_at > _STABLE_AFTER:
            self._backoff.reset()
        self._opened_at = float("inf")
        delay = self._backoff.next_delay()
        _log.warning(event, extra={**self._where(), "error": _describe(error), "retry_in": round(delay, 2)})
        self._loop.call_later(delay, self._connect)

    def _flush(self) -> None:
        self._wake_pending = False  # before the outbox is read: an item that comes now wakes the thread again
        connection = self._connection
        if connection is None or not connection.is_open:
            self._drop_outbox()
            return
        with connection.corked():
            while self._outbox and connection.is_open:
                self._send(self._outbox.popleft())
            if connection.is_open:
                self._session.flush()

    def _send(self, item: Item) -> None:
        try:
            self._session.send(item)
        except Exception:  # noqa: BLE001  one item that cannot be sent must not cost the others their connection
            _log.exception("rpc.send_failed", extra=self._where())
            self._session.drop(item)

    def _drop_outbox(self) -> None:
        while self._outbox:
            self._session.drop(self._outbox.popleft())

    def _begin_close(self) -> None:
        if self._closing:
            return
        self._closing = True
        connection = self._connection
        if connection is None:
            self._ended = True
            return
        self._flush()
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        self._loop.call_later(_CLOSE_TIMEOUT, lambda: self._give_up_closing(connection))

    def _give_up_closing(self, connection: CorkedConnection) -> None:
        if not connection.is_closed:
            connection.abort(TimeoutError("the broker did not answer the close"))

    def _where(self) -> dict[str, object]:
        return {"role": self._role, "host": self._parameters.host, "port": self._parameters.port}


def _describe(error: BaseException) -> str:
    """The error's type and text. pika's texts hold addresses and reply codes, never credentials."""
    causes = getattr(error, "exceptions", None)  # of every address that was tried; the last tells most
    return repr(causes[-1] if causes else error)[:300]
