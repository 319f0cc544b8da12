"""Ends a process whose handler hangs, so that its supervisor starts a new one that serves with all its threads."""

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from amqp_rpc.messages import Request

_log = logging.getLogger(__name__)
_EVERY: Final = 1.0


def _end_process() -> None:
    logging.shutdown()  # what was logged is written
    # Not sys.exit: the thread that hangs cannot be ended, and an orderly end would wait for it.
    os._exit(os.EX_SOFTWARE)


class Watchdog:
    """Looks once a second for a request that is still in hand long after its caller has left.

    Such a request holds its thread and one place of the prefetch for ever, and the broker would wait 30 minutes for
    its acknowledgement (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).

    :param patience: seconds after the deadline of a request.
    :param on_hung: called once; by default the process ends at once with exit code 70.
    """

    def __init__(self, patience: float, on_hung: Callable[[], None] = _end_process) -> None:
        self._patience = patience
        self._on_hung = on_hung
        self._in_hand: dict[int, Request] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rpc-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @contextmanager
    def watching(self, request: Request) -> Iterator[None]:
        """Watch the current thread while it handles `request`."""
        thread = threading.get_ident()
        self._in_hand[thread] = request
        try:
            yield
        finally:
            del self._in_hand[thread]

    def _watch(self) -> None:
        while not self._stop.wait(min(_EVERY, self._patience)):
            overdue = time.monotonic() - self._patience
            for thread, request in list(self._in_hand.items()):
                if request.deadline.at < overdue:
                    self._report(thread, request)
                    self._on_hung()
                    return

    def _report(self, thread: int, request: Request) -> None:
        frame = sys._current_frames().get(thread)  # noqa: SLF001  the documented way to another thread's stack
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        _log.critical("rpc.watchdog", extra={"correlation_id": request.correlation_id, "stack": stack})
