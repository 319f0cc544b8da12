"""What the RPC core needs from a transport: the broker (`amqp_client`, `amqp_server`) or memory (`in_memory`).

Listener methods are called on the transport's own thread and must not wait.
"""

from typing import Protocol

from amqp_rpc.messages import Call, Delivery, QueueState, Reply


class ClientListener(Protocol):
    """What a client transport reports."""

    def on_connected(self) -> None:
        """Calls can be published from now on."""

    def on_disconnected(self) -> None:
        """The connection was lost, or an attempt to connect failed; the transport goes on trying."""

    def on_blocked(self, *, blocked: bool) -> None:
        """The broker has stopped, or resumed, taking messages (a memory or disk alarm)."""

    def on_reply(self, reply: Reply) -> None:
        """A reply came; it may be late, doubled or nobody's."""

    def on_returned(self, correlation_id: str) -> None:
        """The broker had no queue for the call."""

    def on_nacked(self, correlation_id: str) -> None:
        """The broker refused the call: the queue is full."""

    def on_dropped(self, correlation_id: str) -> None:
        """The call was never sent, because the connection had gone."""

    def on_queue_seen(self, queue: QueueState) -> None:
        """The broker has said who serves the queue."""

    def wants_to_see_queue(self) -> bool:
        """Tell whether the broker should be asked who serves the queue, once a second."""
        ...


class ClientTransport(Protocol):
    """Carries calls out and replies back."""

    def start(self, listener: ClientListener) -> None:
        """Begin to connect, and go on for ever until closed."""

    def publish(self, call: Call) -> None:
        """Send soon; never waits, from any thread.

        Ends in a reply, a return, a nack, a drop, a disconnection, or nothing.
        """

    def close(self) -> None:
        """Close the connection and end the transport's thread."""


class ServerListener(Protocol):
    """What a server transport reports."""

    def on_delivery(self, delivery: Delivery) -> None:
        """A request arrived and is ours until it is finished."""


class ServerTransport(Protocol):
    """Brings requests in and takes replies and acknowledgements out."""

    def start(self, listener: ServerListener) -> None:
        """Begin to consume, and go on for ever until closed."""

    def finish(self, delivery: Delivery, reply: Reply | None) -> None:
        """Send the reply, if any, and then acknowledge; from any thread.

        Does nothing when the connection that brought the delivery is gone: the broker delivers it again.
        """

    def stop_consuming(self, timeout: float) -> None:
        """Take no further deliveries; returns when the broker has confirmed that, or after `timeout` seconds."""

    def close(self) -> None:
        """Send what is waiting, close the connection and end the transport's thread."""
