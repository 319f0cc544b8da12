"""Replies that nobody waits for: late, doubled or forged. Counted, and said when there are many."""

import logging
import time
from typing import Final

_log = logging.getLogger(__name__)

_WINDOW: Final = 60.0
_USUAL: Final = 10
"""In a minute. A few are normal: a reply that comes just after its caller's deadline is one."""


class OrphanReplies:
    """Counts on the transport's thread; more than ten in a minute are one warning in that minute."""

    def __init__(self) -> None:
        self.total = 0
        self._since = float("-inf")
        self._in_window = 0

    def came(self) -> None:
        """One more."""
        now = time.monotonic()
        if now - self._since >= _WINDOW:
            self._since, self._in_window = now, 0
        self.total += 1
        self._in_window += 1
        _log.debug("rpc.orphan_reply", extra={"total": self.total})
        if self._in_window == _USUAL + 1:
            _log.warning("rpc.orphan_replies", extra={"total": self.total})
