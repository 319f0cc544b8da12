"""The calling side: register, publish, wait with the caller's own deadline, unregister whatever happens."""

import enum
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final

from amqp_rpc.correlation_ids import CorrelationIds
from amqp_rpc.errors import (
    BrokerUnavailableError,
    CallTimeoutError,
    ClientClosedError,
    ConnectionLostError,
    NoServerError,
    OverloadedError,
    RemoteError,
    RpcError,
    UnavailableError,
)
from amqp_rpc.messages import Call, QueueState, Reply
from amqp_rpc.observers import ClientEvent, ClientObserver
from amqp_rpc.orphans import OrphanReplies
from amqp_rpc.pending import PendingCall, PendingCalls
from amqp_rpc.presence import ServerPresence
from amqp_rpc.sampled_log import SampledLog
from amqp_rpc.transport import ClientTransport
from service_kit.deadline import Deadline

_log = logging.getLogger(__name__)

DEFAULT_MAX_IN_FLIGHT: Final = 64
_CONNECT_PATIENCE: Final = 0.8
"""Seconds that a call waits for a connection that is being made; with it, "no broker" is said within a second."""
_REPEAT_PATIENCE: Final = 2.0
"""The same for a call that has lost its connection: a moment ago there was a broker, and a handshake over a slow
network takes seven round trips. An attempt that fails ends the wait at once."""


class _State(enum.Enum):
    CONNECTING = "connecting"  # no attempt has failed since the start or the last loss: worth a short wait
    UP = "up"
    DOWN = "down"  # the last attempt failed: say so at once
    CLOSED = "closed"


class RpcClient:
    """Calls from any thread over one transport. Make it after a fork, one per process; it connects by itself.

    :param grace: seconds for which calls wait in a queue that has lost its last consumer.
    :param max_in_flight: calls waiting at once; one more is refused, so that a stalled broker cannot grow memory.
    :param observer: is told what comes of the calls and of the connection.
    """

    def __init__(
        self,
        transport: ClientTransport,
        *,
        grace: float,
        max_in_flight: int = DEFAULT_MAX_IN_FLIGHT,
        observer: ClientObserver | None = None,
    ) -> None:
        self._transport = transport
        self._ids = CorrelationIds()
        self._pending = PendingCalls(max_in_flight)
        self._presence = ServerPresence(grace)
        self._state = _State.CONNECTING
        self._state_changed = threading.Condition()
        self._blocked = False
        self._nacked = SampledLog(_log, logging.WARNING, "rpc.nacked")
        self._unroutable = SampledLog(_log, logging.ERROR, "rpc.unroutable")
        self._orphans = OrphanReplies()
        self._observer = observer
        transport.start(self)

    @property
    def in_flight(self) -> int:
        """How many calls wait for a reply."""
        return len(self._pending)

    @property
    def orphan_replies(self) -> int:
        """How many replies have come that nobody waited for."""
        return self._orphans.total

    def call(self, body: bytes, *, deadline: Deadline, headers: Mapping[str, str] | None = None) -> bytes:
        """Send `body` and return the body of its reply.

        When the connection is lost before the reply, the call is sent once more, within the same deadline; the
        handlers must therefore be safe to repeat.

        :raises CallTimeoutError: no reply within the deadline.
        :raises UnavailableError: nobody could be asked; its subclasses say why.
        :raises RemoteError: the server's handler failed.
        """
        if self._observer is None:
            return self._call(body, deadline, headers or {})
        return self._observed_call(self._observer, body, deadline, headers or {})

    def reachable(self, patience: Deadline) -> bool:
        """Whether a call made now would be sent to somebody, as far as is known; nothing is sent to find out.

        Waits for a connection that is being made, until `patience`.
        """
        try:
            self._admit(patience)
        except UnavailableError:
            return False
        return True

    def wait_until_connected(self, deadline: Deadline) -> bool:
        """Whether the connection is there, for which this waits while the first attempt to make it is under way."""
        with self._state_changed:
            self._state_changed.wait_for(lambda: self._state is not _State.CONNECTING, deadline.remaining())
            return self._state is _State.UP

    def close(self) -> None:
        """End waiting calls with `ClientClosedError` and close the connection; safe to repeat."""
        self._enter(_State.CLOSED)
        self._pending.end_all(lambda: ClientClosedError("the client was closed"))
        self._transport.close()

    def _observed_call(
        self, observer: ClientObserver, body: bytes, deadline: Deadline, headers: Mapping[str, str]
    ) -> bytes:
        began_at = time.monotonic()
        error: RpcError | None = None
        observer.began()
        try:
            return self._call(body, deadline, headers)
        except RpcError as raised:
            error = raised
            raise
        finally:
            observer.ended(time.monotonic() - began_at, error)

    def _call(self, body: bytes, deadline: Deadline, headers: Mapping[str, str]) -> bytes:
        try:
            return self._attempt(body, deadline, headers, _CONNECT_PATIENCE)
        except ConnectionLostError:
            _log.info("rpc.call_repeated")
            self._tell(ClientEvent.REPEATED)
            return self._attempt(body, deadline, headers, _REPEAT_PATIENCE)

    def _tell(self, event: ClientEvent) -> None:
        if self._observer is not None:
            self._observer.happened(event)

    def _attempt(self, body: bytes, deadline: Deadline, headers: Mapping[str, str], patience: float) -> bytes:
        self._admit(deadline.within(patience))
        now = time.monotonic()
        call = Call(self._ids.new(), body, headers, deadline, created_at=now)
        waiting = PendingCall(call.correlation_id, now)
        self._pending.add(waiting)
        try:
            if self._state is _State.CLOSED:  # closed since it was admitted: nobody else would end this call
                raise ClientClosedError("the client is closed")
            self._presence.called(now)
            self._transport.publish(call)
            answered = waiting.wait(deadline.remaining())
        finally:
            unanswered = self._pending.take(call.correlation_id)
        if not answered and unanswered is None:
            waiting.wait(1.0)  # the reply is being handed over at this very moment
        return _body_of(waiting.outcome())

    def _admit(self, patience: Deadline) -> None:
        if self._state is not _State.UP:
            self._wait_for_connection(patience)
        if self._blocked:
            raise BrokerUnavailableError("the broker takes no messages")
        if self._presence.deserted:
            raise NoServerError("the queue has no consumer")

    def _wait_for_connection(self, deadline: Deadline) -> None:
        connected = self.wait_until_connected(deadline)
        if self._state is _State.CLOSED:
            raise ClientClosedError("the client is closed")
        if not connected:
            raise BrokerUnavailableError("no connection to the broker")

    def _enter(self, state: _State) -> None:
        with self._state_changed:
            if self._state is not _State.CLOSED:
                self._state = state
            self._state_changed.notify_all()

    # What the transport reports (ClientListener).

    def on_connected(self) -> None:
        self._blocked = False
        self._presence.forget()
        self._enter(_State.UP)
        self._tell(ClientEvent.CONNECTED)

    def on_disconnected(self) -> None:
        self._tell(ClientEvent.DISCONNECTED)
        self._enter(_State.CONNECTING if self._state is _State.UP else _State.DOWN)
        self._pending.end_all(lambda: ConnectionLostError("the connection was lost"))

    def on_blocked(self, *, blocked: bool) -> None:
        self._blocked = blocked

    def on_reply(self, reply: Reply) -> None:
        if not self._end(reply.correlation_id, reply):
            self._orphans.came()
            self._tell(ClientEvent.ORPHAN_REPLY)

    def on_returned(self, correlation_id: str) -> None:
        self._unroutable.happened()
        self._tell(ClientEvent.RETURNED)
        self._end(correlation_id, NoServerError("there is no such queue"))

    def on_nacked(self, correlation_id: str) -> None:
        self._nacked.happened()
        self._tell(ClientEvent.REFUSED)
        self._end(correlation_id, OverloadedError("the queue is full"))

    def on_dropped(self, correlation_id: str) -> None:
        self._end(correlation_id, ConnectionLostError("the connection was lost before the call was sent"))

    def on_queue_seen(self, queue: QueueState) -> None:
        presence = self._presence
        was_deserted = presence.deserted
        presence.observed(queue, time.monotonic())
        if presence.deserted is not was_deserted:
            _log.warning("rpc.queue_deserted" if presence.deserted else "rpc.queue_served")
        if presence.deserted and presence.absent_since is not None:
            # An older call may be in the hands of a worker that is draining, and be answered yet.
            self._pending.end_since(presence.absent_since, lambda: NoServerError("the queue has no consumer"))

    def wants_to_see_queue(self) -> bool:
        return len(self._pending) > 0 or self._presence.worth_watching(time.monotonic())

    def _end(self, correlation_id: str, outcome: Reply | RpcError) -> bool:
        """Whether anybody still waited."""
        waiting = self._pending.take(correlation_id)
        if waiting is not None:
            waiting.end(outcome)
        return waiting is not None


def _body_of(outcome: Reply | RpcError | None) -> bytes:
    if outcome is None:
        raise CallTimeoutError("no reply within the deadline")
    if isinstance(outcome, RpcError):
        raise outcome
    if outcome.failed:
        raise RemoteError("the server failed to handle the call")
    return outcome.body
