"""The client's transport over RabbitMQ: publishes calls, receives replies, and asks who is serving."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal

import pika
from pika.channel import Channel
from pika.spec import Basic

from amqp_rpc.amqp_connection import AmqpConnection
from amqp_rpc.confirms import Unconfirmed
from amqp_rpc.corked_connection import CorkedConnection
from amqp_rpc.messages import FAILED_HEADER, Call, QueueState, Reply
from amqp_rpc.outgoing_calls import OutgoingCalls
from amqp_rpc.packs import MalformedPackError, Part, parts_in
from amqp_rpc.queue_watcher import QueueWatcher
from amqp_rpc.sampled_log import SampledLog
from amqp_rpc.topology import CLIENT_PARTS, Topology
from amqp_rpc.transport import ClientListener
from amqp_rpc.wire_reader import ChannelReader, Message

_log = logging.getLogger(__name__)

ReplyPath = Literal["direct", "queue"]
"""`direct` is RabbitMQ's direct reply-to; `queue` an exclusive queue of this connection (docs/adr/0002)."""

_DIRECT_REPLY_TO: Final = "amq.rabbitmq.reply-to"
_ASK_EVERY: Final = 1.0
_LOOK_AGAIN_AFTER: Final = 0.05
_ANSWER_WITHIN: Final = 1.0
"""Seconds for the broker to count consumers; after that the connection is dead, long before a heartbeat says so."""


class AmqpClientTransport:
    """Publishes to `exchange` with the name of `queue` as routing key.

    Always with `mandatory`, so that a missing queue is said at once, and with confirms, so that a full one is.
    """

    def __init__(
        self, parameters: pika.URLParameters, exchange: str, queue: str, reply_path: ReplyPath = "direct"
    ) -> None:
        self._exchange = exchange
        self._queue = queue
        self._topology = Topology(exchange, queue, CLIENT_PARTS)
        self._reply_path = reply_path
        self._link: AmqpConnection[Call] = AmqpConnection(parameters, self, role="client")
        self._listener: ClientListener
        self._connection: CorkedConnection | None = None
        self._channel: Channel | None = None
        self._outgoing: OutgoingCalls | None = None
        self._consumers = 0
        self._unconfirmed = Unconfirmed()
        self._bad_packs = SampledLog(_log, logging.WARNING, "rpc.bad_pack")
        self._ready = False
        self._blocked = False
        self._watcher = QueueWatcher(queue, self._on_queue_seen)
        self._watching = False

    def start(self, listener: ClientListener) -> None:
        self._listener = listener
        self._link.start()

    def publish(self, call: Call) -> None:
        self._link.submit(call)

    def close(self) -> None:
        self._link.close()

    # The session of the connection; everything from here on runs on the I/O thread.

    def opened(self, connection: CorkedConnection) -> None:
        self._connection = connection
        connection.add_on_connection_blocked_callback(lambda *_: self._on_blocked(blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._on_blocked(blocked=False))
        self._topology.declare(connection, lambda: self._open_channel(connection), self._on_channel_failed)

    def lost(self) -> None:
        self._ready = self._blocked = False
        self._connection = self._channel = self._outgoing = None
        self._consumers = 0
        self._watcher.forget()
        self._listener.on_disconnected()

    def send(self, call: Call) -> None:
        channel, outgoing = self._channel, self._outgoing
        if not self._ready or channel is None or outgoing is None or not channel.is_open:
            self.drop(call)
            return
        budget_ms = int(call.deadline.remaining() * 1000)
        if budget_ms <= 0:
            return  # its caller is gone already
        self._look_before(call)
        outgoing.add(call, budget_ms)

    def flush(self) -> None:
        if self._connection is None or self._outgoing is None:
            return
        for message, correlation_ids in self._outgoing.messages(self._consumers):
            self._connection.send(message)
            self._unconfirmed.published(correlation_ids)

    def drop(self, call: Call) -> None:
        self._listener.on_dropped(call.correlation_id)

    def _open_channel(self, connection: CorkedConnection) -> None:
        self._watcher.prepare(connection)
        connection.channel(on_open_callback=partial(self._on_channel_open, connection))

    def _on_channel_open(self, connection: CorkedConnection, channel: Channel) -> None:
        self._channel = channel
        self._unconfirmed = Unconfirmed()
        channel.add_on_close_callback(lambda _, reason: self._on_channel_failed(reason))
        channel.add_on_return_callback(self._on_return)
        channel.add_on_cancel_callback(lambda _: self._link.abort("rpc.consumer_cancelled"))
        channel.confirm_delivery(self._on_confirm, lambda _: self._prepare_replies(channel))

    def _prepare_replies(self, channel: Channel) -> None:
        if self._reply_path == "direct":
            self._consume_replies(channel, _DIRECT_REPLY_TO)
        else:
            channel.queue_declare(
                "", exclusive=True, callback=lambda frame: self._consume_replies(channel, frame.method.queue)
            )

    def _consume_replies(self, channel: Channel, queue: str) -> None:
        # Direct reply-to demands consuming first and publishing after, on the same channel, without acknowledgements.
        channel.basic_consume(
            queue, self._on_assembled_reply, auto_ack=True, callback=lambda _: self._on_consuming(channel, queue)
        )

    def _on_consuming(self, channel: Channel, reply_to: str) -> None:
        if self._connection is not None:
            self._connection.read_with(ChannelReader(channel.channel_number, self._on_message, self._on_ack))
            self._outgoing = OutgoingCalls(self._connection.writer(channel), self._exchange, self._queue, reply_to)
        self._ready = True
        self._listener.on_connected()

    def _on_assembled_reply(
        self, _channel: Channel, _method: object, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._on_replies(self._parts(properties, body))

    def _on_message(self, message: Message) -> None:
        self._on_replies(self._parts(message, message.body))

    def _parts(self, properties: Message | pika.BasicProperties, body: bytes) -> Sequence[Part]:
        """None of a message that is no pack, though it says so."""
        try:
            return parts_in(properties.type, properties.correlation_id, properties.headers, body)
        except MalformedPackError:
            self._bad_packs.happened()
            return ()

    def _on_replies(self, replies: Sequence[Part]) -> None:
        for correlation_id, headers, body in replies:
            self._listener.on_reply(Reply(correlation_id, body, bool(headers.get(FAILED_HEADER))))

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  what a reader tells
        self._unconfirmed.settle(tag, multiple=multiple)

    def _on_return(self, _channel: Channel, _method: object, properties: pika.BasicProperties, body: bytes) -> None:
        for returned in self._parts(properties, body):
            self._listener.on_returned(returned.correlation_id)

    def _on_confirm(self, frame: Any) -> None:
        confirm = frame.method
        settled = self._unconfirmed.settle(confirm.delivery_tag, multiple=confirm.multiple)
        if isinstance(confirm, Basic.Nack):
            for correlation_id in settled:
                self._listener.on_nacked(correlation_id)

    def _on_channel_failed(self, reason: Exception) -> None:
        # Losing the channel alone also voids the reply address: one way back for both, a new connection.
        if self._connection is not None and self._connection.is_open:
            _log.error("rpc.channel_closed", extra={"reason": str(reason)[:300]})
            self._link.abort("rpc.channel_closed")

    def _on_blocked(self, *, blocked: bool) -> None:
        _log.warning("rpc.blocked" if blocked else "rpc.unblocked")
        self._blocked = blocked
        self._listener.on_blocked(blocked=blocked)

    # Watching who serves the queue, only while somebody wants to know.

    def _look_before(self, call: Call) -> None:
        """Ask just before a call is sent, unless that was done a moment ago.

        Of a call that was sent after the last consumer left it is certain that nobody has taken it; the fewer calls
        fall between the last look and the leaving, the more can be told at the end of the grace.
        """
        if call.created_at - self._watcher.last_asked_at > _LOOK_AGAIN_AFTER:
            self._ask(call.created_at)
        if not self._watching:
            self._watching = True
            self._link.run_later(_ASK_EVERY, self._tick)

    def _tick(self) -> None:
        if not self._listener.wants_to_see_queue():
            self._watching = False
            return
        self._ask(time.monotonic())
        self._link.run_later(_ASK_EVERY, self._tick)

    def _ask(self, now: float) -> None:
        if not self._ready or self._blocked or self._connection is None:
            return  # a blocked broker reads nothing, so its silence means nothing
        if self._watcher.ask(self._connection, now):
            self._link.run_later(_ANSWER_WITHIN, lambda: self._expect_answer(now))

    def _expect_answer(self, asked_at: float) -> None:
        if self._watcher.asked_at != asked_at:
            return
        if self._blocked:
            self._link.run_later(_ANSWER_WITHIN, lambda: self._expect_answer(asked_at))
        else:
            self._link.abort("rpc.broker_silent")

    def _on_queue_seen(self, queue: QueueState) -> None:
        self._consumers = queue.consumers
        self._listener.on_queue_seen(queue)
