"""A log line for what may happen thousands of times a second."""

import logging
import time
from typing import Final

_EVERY: Final = 1.0


class SampledLog:
    """Logs `event` at most once a second; the field `count` says how often it happened since the last line.

    For one thread.
    """

    def __init__(self, log: logging.Logger, level: int, event: str) -> None:
        self._log = log
        self._level = level
        self._event = event
        self._count = 0
        self._logged_at = float("-inf")

    def happened(self) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._logged_at >= _EVERY:
            self._log.log(self._level, self._event, extra={"count": self._count})
            self._count, self._logged_at = 0, now
