"""Exchange, queue and binding: declared at each connect by whoever may, else used as the operator made them."""

import collections
import logging
from collections.abc import Callable
from typing import Any, Final, Literal

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from amqp_rpc.corked_connection import CorkedConnection

_log = logging.getLogger(__name__)

_ACCESS_REFUSED: Final = 403
_PRECONDITION_FAILED: Final = 406

Part = Literal["exchange", "queue", "binding"]

CLIENT_PARTS: Final[tuple[Part, ...]] = ("exchange",)
SERVER_PARTS: Final[tuple[Part, ...]] = ("exchange", "queue", "binding")


class Topology:
    """A durable direct `exchange`, the durable classic `queue`, and the queue's name as the key that binds them.

    Two refusals say that the operator looks after a part: no right to declare it (403), or it is there and of another
    kind (406), a quorum queue for instance. Each closes the channel, so declaring has channels of its own, and goes on
    with the next part on a new one. Lives on the I/O thread.
    """

    def __init__(self, exchange: str, queue: str, parts: tuple[Part, ...]) -> None:
        self._exchange = exchange
        self._queue = queue
        self._parts = parts
        self._given: set[Part] = set()
        self._told: set[Part] = set()
        self._round: _Round | None = None

    def declare(
        self, connection: CorkedConnection, then: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        """Declare every part on a new connection, then call `then`; or `failed`, when the broker objects otherwise."""
        self._given.clear()
        self._round = _Round(self, connection, self._parts, then, failed)
        self._round.go_on()

    def declare_again(self, connection: CorkedConnection, failed: Callable[[Exception], None]) -> None:
        """Declare once more what is ours: a consumer hears of a deleted queue, but of no deleted exchange.

        Not beside a round that is still open: a broker that has blocked the connection answers none, and would have
        one more channel to open for each.
        """
        if self._round is not None and not self._round.over:
            return
        ours = tuple(part for part in self._parts if part not in self._given)
        if ours:
            self._round = _Round(self, connection, ours, lambda: None, failed)
            self._round.go_on()

    def declare_part(self, channel: Channel, part: Part, then: Callable[[Any], None]) -> None:
        if part == "exchange":
            channel.exchange_declare(self._exchange, "direct", durable=True, callback=then)
        elif part == "queue":
            channel.queue_declare(self._queue, durable=True, callback=then)
        else:
            channel.queue_bind(self._queue, self._exchange, routing_key=self._queue, callback=then)

    def note_given(self, part: Part, code: int) -> None:
        self._given.add(part)
        if part not in self._told:
            self._told.add(part)
            _log.info("rpc.topology_given", extra={"part": part, "code": code, "queue": self._queue})


class _Round:
    """One go through the parts, on as many channels as there are refusals, and one more."""

    def __init__(
        self,
        topology: Topology,
        connection: CorkedConnection,
        parts: tuple[Part, ...],
        then: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._topology = topology
        self._connection = connection
        self._left = collections.deque(parts)
        self._then = then
        self._failed = failed
        self.over = False  # nothing left to do, and no channel of the round is open any more

    def go_on(self) -> None:
        if self._left:
            self._connection.channel(on_open_callback=self._on_open)
        else:
            self.over = True
            self._then()

    def _on_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_close)
        self._declare_next(channel)

    def _declare_next(self, channel: Channel) -> None:
        if self._left:
            self._topology.declare_part(channel, self._left[0], lambda _: self._on_declared(channel))
        else:
            channel.close()
            self._then()

    def _on_declared(self, channel: Channel) -> None:
        self._left.popleft()
        self._declare_next(channel)

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        if not isinstance(reason, ChannelClosedByBroker):
            self.over = True  # the broker confirmed our close, or the connection is going
            return
        if reason.reply_code not in {_ACCESS_REFUSED, _PRECONDITION_FAILED}:
            self.over = True
            self._failed(reason)
            return
        self._topology.note_given(self._left.popleft(), reason.reply_code)
        self.go_on()
