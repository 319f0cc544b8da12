"""Answers GET /metrics for Prometheus on a port of its own, which only its own network should reach."""

import http.server
import signal
import socket
import sys
import threading
from typing import Any, Final

from prometheus_client import MetricsHandler
from prometheus_client.registry import Collector

_SECONDS: Final = 5.0
"""So long the one thread waits for a reader that has stopped."""
_BACKLOG: Final = 16


def listen_or_exit(host: str, port: int) -> socket.socket:
    """The open port; when it cannot be had, the process ends with a message on standard error and status 1."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        sys.stderr.write(f"METRICS_PORT {port} on {host} cannot be opened: {error.strerror}\n")
        raise SystemExit(1) from None
    listener.setblocking(False)  # another process that accepts from it may have been quicker
    return listener


def serve_metrics(listener: socket.socket, registry: Collector) -> None:
    """Answer on `listener` from a thread of its own, one request after the other, until the process ends.

    The thread takes no signals: they are for those who wait for them.
    """
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        server = _Server(listener, registry)
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


class _Server(http.server.HTTPServer):
    def __init__(self, listener: socket.socket, registry: Collector) -> None:
        handler = type("Handler", (_Handler,), {"registry": registry})
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that has gone is no news."""


class _Handler(MetricsHandler):
    timeout = _SECONDS

    def do_GET(self) -> None:  # noqa: N802  the base class's name
        if self.path.partition("?")[0] == "/metrics":
            super().do_GET()
        else:
            self.send_error(http.HTTPStatus.NOT_FOUND)

    def version_string(self) -> str:
        return "metrics"
