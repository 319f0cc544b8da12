"""When the API was away because it was killed: what a caller meets then is nobody's fault."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.child_processes import Child

LONGEST = 10.0
"""An outage that lasts longer excuses nothing."""


class Outages:
    """Knows the latest one, which is enough for callers who ask at once."""

    def __init__(self) -> None:
        self._began = self._ended = -math.inf

    @contextmanager
    def one(self) -> Iterator[None]:
        """From before the kill until the API serves again."""
        self._began, self._ended = time.monotonic(), math.inf
        yield
        self._ended = time.monotonic()

    def excuse(self, asked: float) -> bool:
        """Whether a call of that moment, which has just got no answer, may have met an outage."""
        return asked <= self._ended and time.monotonic() < self._began + LONGEST

    def over(self, asked: float) -> float:
        """When the API was there for a call of that moment, which it has just answered."""
        return max(asked, min(self._ended, time.monotonic()))


def children_of(child: Child) -> list[int]:
    """The processes that `child` has started itself: of gunicorn's master, those that serve."""
    return [int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()]
