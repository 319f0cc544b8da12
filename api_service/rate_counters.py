"""Counting for the rate limits: in the memory of this process, or in a Redis that all processes share.

A Redis that is away must neither fail a request nor slow it down: the memory stands in for it, with the same limits.
"""

import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from service_kit.redis_link import RedisLink  # slow to import, and most processes have none

_SWEEP_SECONDS: Final = 10.0


class Counters(Protocol):
    """Counts by key; a key is used for `seconds` and then forgotten."""

    def add(self, key: str, seconds: int) -> int:
        """Count one more; returns the count."""

    def count(self, key: str) -> int: ...


class MemoryCounters:
    """Of this process only: N processes together let N times as much through.

    The storage of `limits` would do the same, but starts a thread up to a hundred times a second to forget old keys,
    which costs each request a tenth of its time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: str, seconds: int) -> int:
        now = time.monotonic()
        with self._lock:
            if now >= self._sweep_at:
                self._sweep(now)
            count, end = self._counts.get(key, (0, now + seconds))
            self._counts[key] = (count + 1, end)
        return count + 1

    def count(self, key: str) -> int:
        return self._counts.get(key, (0, 0.0))[0]

    def _sweep(self, now: float) -> None:
        self._counts = {key: (count, end) for key, (count, end) in self._counts.items() if end > now}
        self._sweep_at = now + _SWEEP_SECONDS


class SharedCounters:
    """In Redis, one round trip for each call; while it is away, in the memory of this process."""

    def __init__(self, link: "RedisLink", memory: MemoryCounters) -> None:
        self._link = link
        self._memory = memory

    def add(self, key: str, seconds: int) -> int:
        def count_one(pipe: Any) -> None:
            pipe.incr(key)
            pipe.expire(key, seconds)  # every time: a key must never be left without an end

        answers = self._link.run(count_one)
        return self._memory.add(key, seconds) if answers is None else int(answers[0])

    def count(self, key: str) -> int:
        answers = self._link.run(lambda pipe: pipe.get(key))
        return self._memory.count(key) if answers is None else int(answers[0] or 0)
