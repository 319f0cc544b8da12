"""The server's transport over RabbitMQ: consumes requests; replies first and acknowledges after, on its I/O thread."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pika
from pika.channel import Channel
from pika.spec import Basic

from amqp_rpc.amqp_connection import AmqpConnection
from amqp_rpc.corked_connection import CorkedConnection
from amqp_rpc.messages import FAILED_HEADER, Delivery, Reply
from amqp_rpc.observers import ServerEvent, ServerObserver
from amqp_rpc.packs import MESSAGE_TYPE, MOST_IN_ONE, MalformedPackError, Part, part, parts_in
from amqp_rpc.topology import SERVER_PARTS, Topology
from amqp_rpc.transport import ServerListener
from amqp_rpc.wire import ChannelWriter, table
from amqp_rpc.wire_reader import ChannelReader, Message

_log = logging.getLogger(__name__)

_TICK: Final = 2.0
_TICKS_TO_DECLARE_AGAIN: Final = 2
_NO_HEADERS: Final = table({})


@dataclass(slots=True)
class _Token:
    """One message. Its delivery tag is valid on the channel that brought it, and on no other."""

    channel: Channel
    tag: int
    packed: bool
    unfinished: int
    """How many of its requests; it is acknowledged with the last one."""


@dataclass(frozen=True, slots=True)
class _Finished:
    delivery: Delivery
    reply: Reply | None


class AmqpServerTransport:
    """Consumes `queue`, bound to `exchange`, with `prefetch` unacknowledged deliveries at most.

    :param on_alive: called every two seconds while it consumes and the I/O loop turns; for liveness checks.
    :param observer: is told of the connection.
    """

    def __init__(
        self,
        parameters: pika.URLParameters,
        exchange: str,
        queue: str,
        *,
        prefetch: int,
        on_alive: Callable[[], None] = lambda: None,
        observer: ServerObserver | None = None,
    ) -> None:
        self._observer = observer
        self._queue = queue
        self._topology = Topology(exchange, queue, SERVER_PARTS)
        self._prefetch = prefetch
        self._on_alive = on_alive
        self._link: AmqpConnection[_Finished] = AmqpConnection(parameters, self, role="server")
        self._listener: ServerListener
        self._connection: CorkedConnection | None = None
        self._channel: Channel | None = None
        self._writer = ChannelWriter(channel=0, largest=1)  # until there is a channel
        self._reply_to = ""
        self._reply_method = b""
        self._packed_replies: dict[str, list[bytes]] = {}
        self._acks: list[bytes] = []
        self._consumer_tag: str | None = None
        self._stopping = False
        self._stopped = threading.Event()
        self._ticking = False
        self._ticks = 0

    def start(self, listener: ServerListener) -> None:
        self._listener = listener
        self._link.start()

    def finish(self, delivery: Delivery, reply: Reply | None) -> None:
        self._link.submit(_Finished(delivery, reply))

    def stop_consuming(self, timeout: float) -> None:
        self._link.run_soon(self._begin_stop)
        if not self._stopped.wait(timeout):
            _log.warning("rpc.cancel_unconfirmed", extra={"queue": self._queue})

    def close(self) -> None:
        self._link.close()

    # The session of the connection; everything from here on runs on the I/O thread.

    def opened(self, connection: CorkedConnection) -> None:
        if self._stopping:
            return
        self._connection = connection
        self._topology.declare(connection, lambda: self._open_channel(connection), self._on_channel_failed)

    def lost(self) -> None:
        self._connection = self._channel = self._consumer_tag = None
        self._packed_replies.clear()
        self._acks.clear()
        self._tell(ServerEvent.DISCONNECTED)
        if self._stopping:
            self._stopped.set()

    def send(self, finished: _Finished) -> None:
        token, connection = finished.delivery.token, self._connection
        if (
            connection is None
            or not isinstance(token, _Token)
            or token.channel is not self._channel
            or not token.channel.is_open
        ):
            self.drop(finished)
            return
        reply, reply_to = finished.reply, finished.delivery.reply_to
        if reply is not None and isinstance(reply_to, str):
            self._answer(connection, token, reply_to, reply)
        token.unfinished -= 1
        if token.unfinished == 0:
            self._acks.append(self._writer.ack(token.tag))

    def flush(self) -> None:
        if self._connection is None:
            return
        for reply_to, parts in self._packed_replies.items():
            self._connection.send(self._publish(reply_to) + self._writer.pack_of_replies(parts))
        if self._acks:  # after the replies
            self._connection.send(b"".join(self._acks))
        self._packed_replies.clear()
        self._acks.clear()

    def drop(self, finished: _Finished) -> None:
        _log.info("rpc.reply_dropped", extra={"reason": "the connection that brought the request is gone"})

    def _open_channel(self, connection: CorkedConnection) -> None:
        if not self._stopping:
            connection.channel(on_open_callback=partial(self._on_channel_open, connection))

    def _on_channel_open(self, connection: CorkedConnection, channel: Channel) -> None:
        self._channel = channel
        self._writer = connection.writer(channel)
        self._reply_to = ""
        channel.add_on_close_callback(lambda _, reason: self._on_channel_failed(reason))
        channel.add_on_cancel_callback(self._on_cancelled_by_broker)
        channel.basic_qos(prefetch_count=self._prefetch)
        if not self._stopping:
            self._consumer_tag = channel.basic_consume(
                self._queue, self._on_assembled_message, auto_ack=False, callback=lambda _: self._on_consuming(channel)
            )

    def _on_consuming(self, channel: Channel) -> None:
        if self._connection is not None and not self._stopping:
            self._connection.read_with(ChannelReader(channel.channel_number, self._on_message))
        self._tell(ServerEvent.CONSUMING)
        _log.info("rpc.consuming", extra={"queue": self._queue, "prefetch": self._prefetch})
        if not self._ticking:
            self._tick()

    def _tell(self, event: ServerEvent) -> None:
        if self._observer is not None:
            self._observer.happened(event)

    def _tick(self) -> None:
        self._ticking = self._consumer_tag is not None
        if self._ticking:
            self._link.run_later(_TICK, self._tick)  # first: a sign of life that fails must not be the last one
            self._ticks += 1
            if self._ticks % _TICKS_TO_DECLARE_AGAIN == 0 and self._connection is not None:
                self._topology.declare_again(self._connection, self._on_channel_failed)
            self._on_alive()

    def _on_assembled_message(
        self, _channel: Channel, method: Basic.Deliver, of: pika.BasicProperties, body: bytes
    ) -> None:
        tag, redelivered = method.delivery_tag or 0, bool(method.redelivered)
        self._on_message(Message(tag, redelivered, of.correlation_id, of.reply_to, of.headers, of.type, body))

    def _on_message(self, message: Message) -> None:
        assert self._channel
        parts = _parts(message)
        token = _Token(self._channel, message.tag, message.type == MESSAGE_TYPE, len(parts))
        for correlation_id, headers, body in parts:
            delivery = Delivery(token, correlation_id, message.reply_to, body, headers, message.redelivered)
            self._listener.on_delivery(delivery)

    def _answer(self, connection: CorkedConnection, token: _Token, reply_to: str, reply: Reply) -> None:
        headers = table({FAILED_HEADER: True}) if reply.failed else b""
        if token.packed:
            answer = part(reply.correlation_id, headers or _NO_HEADERS, reply.body)
            self._packed_replies.setdefault(reply_to, []).append(answer)
        else:
            answer = self._writer.reply(reply.body, headers, correlation_id=reply.correlation_id)
            connection.send(self._publish(reply_to) + answer)

    def _publish(self, reply_to: str) -> bytes:
        """As a rule it is the same caller's process as the last time."""
        if reply_to != self._reply_to:
            # Never mandatory: for direct reply-to brokers up to 4.1 return every such reply, later ones none.
            self._reply_to, self._reply_method = reply_to, self._writer.publish("", reply_to, mandatory=False)
        return self._reply_method

    def _begin_stop(self) -> None:
        self._stopping = True
        channel, tag = self._channel, self._consumer_tag
        self._consumer_tag = None
        if channel is None or tag is None or not channel.is_open:
            self._stopped.set()
            return
        if self._connection is not None:
            self._connection.read_with(None)  # pika gives back what still comes for a consumer that it cancels
        channel.basic_cancel(tag, callback=lambda _: self._stopped.set())

    def _on_cancelled_by_broker(self, _frame: object) -> None:
        _log.warning("rpc.consumer_cancelled", extra={"queue": self._queue})
        self._link.abort("rpc.consumer_cancelled")

    def _on_channel_failed(self, reason: Exception) -> None:
        if self._connection is not None and self._connection.is_open:
            _log.error("rpc.channel_closed", extra={"reason": str(reason)[:300]})
            self._link.abort("rpc.channel_closed")


def _parts(message: Message) -> Sequence[Part]:
    """Of a message that is no pack, though it says so, one part that cannot be answered."""
    try:
        return parts_in(message.type, message.correlation_id, message.headers, message.body, most=MOST_IN_ONE)
    except MalformedPackError:
        return (Part("", {}, b""),)
