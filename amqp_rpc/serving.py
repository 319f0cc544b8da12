"""A server as a process: runs until a signal, drains, and ends."""

import logging
import signal
from functools import partial
from pathlib import Path
from typing import Final

from amqp_rpc.amqp_server import AmqpServerTransport
from amqp_rpc.observers import ServerObserver
from amqp_rpc.parameters import connection_parameters
from amqp_rpc.server import Handler, RpcServer

_log = logging.getLogger(__name__)
_STOP_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}
_BLOCKED_TIMEOUT: Final = 30.0
"""Seconds for which a broker may take no replies; then the requests in hand go back to it and expire there."""


def serve(  # noqa: PLR0913  each is named at the call
    url: str,
    queue: str,
    handler: Handler,
    *,
    exchange: str,
    workers: int,
    drain_seconds: float,
    hung_after: float = 30.0,
    heartbeat: int = 10,
    heartbeat_file: Path | None = None,
    ca: str = "",
    observer: ServerObserver | None = None,
) -> None:
    """Serve `queue` until SIGTERM or SIGINT, then drain for at most `drain_seconds`; a second signal ends at once.

    Call it on the main thread of a process that has no other threads yet: the signals are blocked for every thread
    and waited for, because a handler that interrupts the main thread could meet a lock that this thread holds.

    A handler that hangs ends the process with exit code 70: let a supervisor start it anew.

    :param exchange: the direct exchange that `queue` is bound to by its own name.
    :param workers: threads, and unacknowledged deliveries.
    :param hung_after: seconds after its deadline; a request that is still in hand then counts as hung.
    :param heartbeat: seconds of the AMQP heartbeat.
    :param heartbeat_file: touched every two seconds while the process consumes; removed when it stops.
    :param ca: certificates in PEM to trust an `amqps://` broker by, instead of the system's.
    :param observer: is told what comes of the requests and of the connection.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    transport = AmqpServerTransport(
        connection_parameters(
            url, name=f"{queue} server", heartbeat=heartbeat, blocked_timeout=_BLOCKED_TIMEOUT, ca=ca
        ),
        exchange,
        queue,
        prefetch=workers,
        on_alive=partial(_touch, heartbeat_file) if heartbeat_file else lambda: None,
        observer=observer,
    )
    server = RpcServer(transport, handler, workers=workers, hung_after=hung_after, observer=observer)
    server.start()
    received = signal.sigwait(_STOP_SIGNALS)
    _log.info("rpc.stop_requested", extra={"signal": signal.Signals(received).name})
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    server.drain(drain_seconds)
    if heartbeat_file:
        heartbeat_file.unlink(missing_ok=True)


def _touch(file: Path) -> None:
    try:
        file.touch()
    except OSError as error:  # a full disk; who watches the file sees it grow old
        _log.warning("rpc.heartbeat_file_failed", extra={"error": repr(error)})
