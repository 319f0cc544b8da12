"""A log handler that never waits for its reader: lines go through a bounded queue; what does not fit is counted."""

import logging
import os
import select
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

_CAPACITY: Final = 2_000
"""Lines; about a megabyte."""
_FLUSH_SECONDS: Final = 2.0
"""How long the end of the process waits for a reader that does not read."""
_STANDARD_ERROR: Final = 2

_Lines = SimpleQueue[str | threading.Event | None]
"""A line to write, an event to set when all before it are written, or the end."""


class _Dropped:
    """Counts the lines that one process has dropped. Its lock is held for no longer than that.

    The writing thread must not take the handler's lock: `logging.shutdown` holds it while it waits for that thread.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._count = 0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return self._count > 0

    def add_one(self) -> None:
        with self._lock:
            self._count += 1

    def take(self) -> int:
        """The count so far; it starts anew."""
        with self._lock:
            count, self._count = self._count, 0
        return count


class LogQueueHandler(logging.Handler):
    """Formats a record where it is logged, and writes it to standard error on a thread of its own.

    The thread starts with the first line, and anew in a child that was forked. When the queue is full, lines are
    dropped; once it flows again one line `logs.dropped` tells how many. A line for which the thread cannot start is
    dropped too, and the next one tries again. At the end of the process what waits is
    written, for at most two seconds.
    """

    def __init__(self, capacity: int = _CAPACITY, descriptor: int = _STANDARD_ERROR) -> None:
        """Write to `descriptor` and no buffered stream: a thread stuck in one at the end crashes the interpreter.

        :param capacity: lines that may wait.
        """
        super().__init__()
        self._capacity = capacity
        self._descriptor = descriptor
        self._lines: _Lines = SimpleQueue()
        self._dropped = _Dropped()
        self._process: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Format here, not on the writing thread: the request id belongs to the context of the thread that logs."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  as every handler: a wrong log call must not end what it tells about
            self.handleError(record)
            return
        if self._process != os.getpid():
            self._start()
        if self._process == os.getpid() and self._lines.qsize() < self._capacity:
            self._lines.put(line)
        else:
            self._dropped.add_one()

    def flush(self) -> None:
        """Wait until what was logged is written, at most two seconds."""
        if self._process == os.getpid():
            written = threading.Event()
            self._lines.put(written)
            written.wait(_FLUSH_SECONDS)

    def close(self) -> None:
        """End the thread; a later line starts another."""
        if self._process == os.getpid():
            self._lines.put(None)
            self._process = None
        super().close()

    def _start(self) -> None:
        """Start the thread, unless the system has none to give."""
        if self._dropped.process != os.getpid():
            self._dropped = _Dropped()  # the parent tells its own, and its lock may have been held at the fork
        lines: _Lines = SimpleQueue()  # a forked child leaves the parent's lines to the parent
        with suppress(RuntimeError):
            threading.Thread(target=self._write_all, args=(lines,), name="log writer", daemon=True).start()
            self._lines, self._process = lines, os.getpid()

    def _write_all(self, lines: _Lines) -> None:
        while (item := lines.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            self._write(item)
            if self._dropped and lines.qsize() < self._capacity // 2:
                self._write(self._note_of_dropped())

    def _note_of_dropped(self) -> str:
        return self.format(
            logging.makeLogRecord(
                {
                    "name": __name__,
                    "levelno": logging.WARNING,
                    "levelname": "WARNING",
                    "msg": "logs.dropped",
                    "count": self._dropped.take(),
                }
            )
        )

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode(errors="backslashreplace")
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody who shares the pipe has made it non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # nobody reads any more, or the disk is full
                self._dropped.add_one()
                return
