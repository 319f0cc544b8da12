"""gunicorn's threaded worker and what its settings do not offer.

Answers have our shape, a lack of descriptors is survived, and a client that stops reading loses its connection.

Name it in gunicorn's `worker_class`.
"""

import errno
import logging
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, Final

from flask import json
from gunicorn import util  # type: ignore[import-untyped]  # it ships no types
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from service_kit.connection_shares import ConnectionShares
from service_kit.problems import PROBLEM_JSON
from service_kit.request_ids import new_request_id
from service_kit.response_headers import ALWAYS

_NO_DESCRIPTOR: Final = {errno.EMFILE, errno.ENFILE}
_PAUSE: Final = 0.2
"""Seconds, at least, without accepting after a lack of descriptors: callers wait in the kernel, and nothing spins."""

_LINGER_MS: Final = 2.0
"""So long a thread stays with a connection that it has answered, when no other one waits for a thread."""

_COURTESY: Final = 0.001
"""Seconds in which a process that has fewer connections may be the first to accept; the listener has woken it too."""

_SEND: Final = 30.0
"""Seconds in which a client takes what is sent at once: an answer, or each part of one that is sent in parts."""

_shares = ConnectionShares()  # made in the master, which loads this module before it forks
_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # without types it is Any
    """Serves like its base class, but survives a lack of file descriptors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._out_of_descriptors = False
        self._accept_from = 0.0

    def init_process(self) -> None:
        wsgi.Response = Response
        util.write_error = write_problem
        logging.getLogger("gunicorn.error").addFilter(_leave_out_what_was_sent)
        super().init_process()

    def run(self) -> None:
        _shares.join(self.age)  # now that it can accept: nobody waits for one that cannot
        super().run()

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that follow at once on the same connection.

        The base class gives the connection back to the main thread after each answer, which waits for the next
        request and finds a thread for it: a quarter of what a small call costs. It is still done so while requests
        wait for a thread, and when the worker stops.
        """
        stays = super().handle(conn)
        while stays is True and self._follows_at_once(conn):
            stays = super().handle(conn)
        return stays

    def _follows_at_once(self, conn: Any) -> bool:
        if not self.alive or self.tpool._work_queue.qsize():  # noqa: SLF001  the pool does not tell otherwise
            return False
        wait = select.poll()
        wait.register(conn.sock, select.POLLIN)
        return bool(wait.poll(_LINGER_MS))

    def accept(self, listener: Any) -> None:
        """Accept a connection; without a descriptor for it, pause.

        The base class lets the error end the worker, and with it every request that is being served.
        """
        if _shares.somebody_has_fewer(self.nr_conns):
            time.sleep(_COURTESY)
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            self._pause()
        else:
            self._note_recovery()
        _shares.publish(self.nr_conns)

    def notify(self) -> None:
        """Tell the master that this worker is alive, and the others how many connections it has."""
        super().notify()
        _shares.publish(self.nr_conns)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  the base class's signature
        super().set_accept_enabled(enabled and time.monotonic() >= self._accept_from)

    def _pause(self) -> None:
        if not self._out_of_descriptors:
            self._out_of_descriptors = True
            _log.error("http.out_of_descriptors", extra={"connections": self.nr_conns})
        self._accept_from = time.monotonic() + _PAUSE
        self.set_accept_enabled(False)

    def _note_recovery(self) -> None:
        if self._out_of_descriptors:
            self._out_of_descriptors = False
            _log.info("http.descriptors_back")


def _leave_out_what_was_sent(record: logging.LogRecord) -> bool:
    """What was sent stands in gunicorn's line about an invalid request, and a token may be in it."""
    if record.getMessage().startswith("Invalid request from"):
        record.msg, record.args = "http.invalid_request", ()
    return True


class Response(wsgi.Response):  # type: ignore[misc]
    """Without `Server`: it tells attackers what to try, and gunicorn has no setting that leaves it out.

    And for a client that stops reading only for a while: gunicorn itself would keep the thread waiting for ever.
    """

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]

    def write(self, arg: bytes) -> None:
        with _client_reads(self.sock):
            super().write(arg)

    def close(self) -> None:
        with _client_reads(self.sock):
            super().close()


@contextmanager
def _client_reads(connection: socket.socket) -> Iterator[None]:
    """:raises BrokenPipeError: it did not, and the connection is shut down: to gunicorn it was the client."""
    connection.settimeout(_SEND)
    try:
        yield
    except TimeoutError as error:
        _log.warning("http.client_stopped_reading", extra={"seconds": _SEND})
        with suppress(OSError):  # it is gone already
            connection.shutdown(socket.SHUT_RDWR)
        raise BrokenPipeError(errno.EPIPE, "the client stopped reading") from error
    finally:
        connection.settimeout(None)


def write_problem(connection: socket.socket, status: int, reason: str, _: str) -> None:
    """Answer what never became a request with a problem document; gunicorn's own page repeats what was sent."""
    body = json.dumps(
        {
            "type": f"/problems/{reason.lower().replace(' ', '-')}",
            "title": reason,
            "status": status,
            "detail": "The request is not valid HTTP, or a part of it is too long."
            if status < HTTPStatus.INTERNAL_SERVER_ERROR
            else "The request could not be processed.",
            "request_id": new_request_id(),
        }
    ).encode()
    headers = {"Connection": "close", "Content-Type": PROBLEM_JSON, "Content-Length": str(len(body)), **ALWAYS}
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    util.write_nonblock(connection, "\r\n".join(lines).encode("latin-1") + body)
