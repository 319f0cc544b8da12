"""Is anybody serving the queue? The client's memory of what the broker said, and of how long nobody has been there."""

from typing import Final

from amqp_rpc.messages import QueueState

_LINGER: Final = 60.0
"""Seconds after the last call for which the broker is still asked, so that a call after a pause need not start the
grace anew; after that an idle client costs nothing."""


class ServerPresence:
    """Tells a restart (wait) from desertion (say so at once). Times are seconds on one monotonic clock.

    A queue counts as deserted when it has had no consumer for longer than `grace`. Not thread-safe by locks: each
    field is written by one thread, and a reader that sees the value of a moment ago is right enough.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._absent_since: float | None = None
        self._deserted = False
        self._last_call = float("-inf")

    @property
    def deserted(self) -> bool:
        return self._deserted

    @property
    def absent_since(self) -> float | None:
        """When the queue was first seen without a consumer; None while it has one, or nobody has looked."""
        return self._absent_since

    def called(self, now: float) -> None:
        """A call is about to be published."""
        self._last_call = now

    def observed(self, queue: QueueState, now: float) -> None:
        """The broker has counted consumers."""
        if queue.consumers > 0:
            self.forget()
            return
        if self._absent_since is None:
            self._absent_since = queue.asked_at
        self._deserted = now - self._absent_since >= self._grace

    def forget(self) -> None:
        """What was seen no longer holds: a consumer is there, or the connection is a new one."""
        self._absent_since = None
        self._deserted = False

    def worth_watching(self, now: float) -> bool:
        return self._deserted or now - self._last_call < _LINGER
