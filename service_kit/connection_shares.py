"""How many connections each of a server's processes has, in memory that they share, so that none takes them all.

Processes that accept from one socket do not take turns: the one that runs is the first to accept again, and has soon
nearly all connections that stay open, and the others idle.
"""

import mmap
import os
import struct
from contextlib import suppress
from typing import Final

_SLOT: Final = struct.Struct("=ii")
"""Process id, or 0 for nobody, and its connections."""


class ConnectionShares:
    """Make it before forking; each child then calls `join` once.

    The counts are hints, read without a lock: what is a moment old only makes a share uneven.
    """

    def __init__(self, places: int = 64) -> None:
        """:param places: more than processes live at a time, those that are being replaced included."""
        self._memory = mmap.mmap(-1, places * _SLOT.size)
        self._places = range(0, places * _SLOT.size, _SLOT.size)
        self._own: int | None = None

    def join(self, number: int) -> None:
        """Take part as the process of that number, which the server counts up with each one that it forks."""
        self._own = self._places[number % len(self._places)]
        self.publish(0)

    def publish(self, connections: int) -> None:
        if self._own is not None:
            _SLOT.pack_into(self._memory, self._own, os.getpid(), connections)

    def somebody_has_fewer(self, connections: int) -> bool:
        """Whether another process that lives had fewer than so many when it last published."""
        others = (_SLOT.unpack_from(self._memory, place) for place in self._places if place != self._own)
        return any(pid and count < connections and _is_alive(pid) for pid, count in others)


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
