"""Counting the consumers of a queue, by a passive declare."""

import logging
from collections.abc import Callable
from typing import Final

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from amqp_rpc.corked_connection import CorkedConnection
from amqp_rpc.messages import QueueState

_log = logging.getLogger(__name__)
_NOT_FOUND: Final = 404


class QueueWatcher:
    """Asks the broker who serves `queue`, and reports what it says.

    It has a channel of its own, because asking for a queue that does not exist closes the channel (404), and that
    must not take the reply address along. Lives on the I/O thread.
    """

    def __init__(self, queue: str, report: Callable[[QueueState], None]) -> None:
        self._queue = queue
        self._report = report
        self._channel: Channel | None = None
        self._opening = False
        self._asked_at: float | None = None
        self._refused = False
        self.last_asked_at = float("-inf")

    @property
    def asked_at(self) -> float | None:
        """When the question that is still open was asked; None when none is."""
        return self._asked_at

    def forget(self) -> None:
        """The connection is gone, and the open question with it."""
        self._channel = None
        self._opening = False
        self._asked_at = None
        self._refused = False

    def prepare(self, connection: CorkedConnection) -> None:
        """Open the channel ahead of the first question.

        The count is taken to be as old as its question; where a channel is opened in between, a consumer may have
        taken a call and left in that time.
        """
        if not self._opening:
            self._opening = True
            connection.channel(on_open_callback=self._on_channel_open)

    def ask(self, connection: CorkedConnection, now: float) -> bool:
        """Ask, unless a question is open; True when one was asked."""
        if self._asked_at is not None or self._refused or not connection.is_open:
            return False
        self._asked_at = self.last_asked_at = now
        if self._channel is not None and self._channel.is_open:
            self._declare(self._channel)
        else:
            self.prepare(connection)
        return True

    def _on_channel_open(self, channel: Channel) -> None:
        self._opening = False
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        if self._asked_at is not None:
            self._declare(channel)

    def _declare(self, channel: Channel) -> None:
        channel.queue_declare(
            self._queue, passive=True, callback=lambda frame: self._conclude(frame.method.consumer_count)
        )

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if channel is not self._channel or not isinstance(reason, ChannelClosedByBroker):
            return  # the connection is going; `forget` follows
        self._channel = None
        if reason.reply_code == _NOT_FOUND:
            self._conclude(0)  # no queue, so no consumer either
        else:
            # Without the right to ask, nobody may be told that nobody serves: calls end at their deadlines instead.
            _log.error("rpc.queue_unseen", extra={"queue": self._queue, "code": reason.reply_code})
            self._refused = True
            self._conclude(1)

    def _conclude(self, consumers: int) -> None:
        asked_at, self._asked_at = self._asked_at, None
        if asked_at is not None:
            self._report(QueueState(asked_at, consumers))
