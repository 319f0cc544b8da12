"""A queue in memory with the same two transports as the broker's: for tests of whatever is built on the RPC core.

It keeps the promises that callers rely on: expiry, prefetch, redelivery, returns, drops and consumer counts.
"""

import collections
import threading
import time
from dataclasses import dataclass, field

from amqp_rpc.messages import BUDGET_HEADER, SENT_HEADER, Call, Delivery, QueueState, Reply
from amqp_rpc.transport import ClientListener, ServerListener

_REPLY_TO = "amq.rabbitmq.reply-to.in-memory"


@dataclass(eq=False)
class _Message:
    call: Call
    sender: "InMemoryClientTransport"
    redelivered: bool = False
    sent_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


class InMemoryQueue:
    """One request queue; it comes into being when its first server starts, as a declared queue does."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._declared = False
        self._ready: collections.deque[_Message] = collections.deque()
        self._servers: list[InMemoryServerTransport] = []

    def state(self, asked_at: float) -> QueueState:
        with self.lock:
            return QueueState(asked_at, len(self._servers))

    def add(self, server: "InMemoryServerTransport") -> None:
        with self.lock:
            self._declared = True
            self._servers.append(server)
            self.dispatch()

    def remove(self, server: "InMemoryServerTransport") -> None:
        with self.lock:
            if server in self._servers:
                self._servers.remove(server)

    def put(self, message: _Message) -> bool:
        """False when there is no such queue."""
        with self.lock:
            if not self._declared:
                return False
            self._ready.append(message)
            self.dispatch()
            return True

    def put_back(self, messages: list[_Message]) -> None:
        with self.lock:
            self._ready.extendleft(reversed(messages))
            self.dispatch()

    def dispatch(self) -> None:
        """Hand ready messages to the servers that have room, in turn."""
        while self._ready and (server := next((s for s in self._servers if s.has_room), None)):
            message = self._ready.popleft()
            if not message.call.deadline.expired:
                self._servers.remove(server)
                self._servers.append(server)
                server.deliver(message)


class InMemoryClientTransport:
    """Publishes into an `InMemoryQueue`. `cut`, `refuse`, `block` and `reject` are the faults that tests put in.

    :param ask_every: seconds between two counts of the consumers.
    """

    def __init__(self, queue: InMemoryQueue, *, ask_every: float = 1.0) -> None:
        self._queue = queue
        self._ask_every = ask_every
        self._listener: ClientListener
        self._up = False
        self._rejecting = False
        self._watching = False
        self._closed = threading.Event()

    def start(self, listener: ClientListener) -> None:
        self._listener = listener
        self.restore()

    def publish(self, call: Call) -> None:
        if not self._up:
            self._listener.on_dropped(call.correlation_id)
            return
        self._listener.on_queue_seen(self._queue.state(call.created_at))
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="in-memory-watch", daemon=True).start()
        if self._rejecting:
            self._listener.on_nacked(call.correlation_id)
        elif not call.deadline.expired and not self._queue.put(_Message(call, self)):
            self._listener.on_returned(call.correlation_id)

    def close(self) -> None:
        self._up = False
        self._closed.set()

    def receive(self, reply: Reply) -> None:
        """A server's answer; lost when this side is not connected."""
        if self._up:
            self._listener.on_reply(reply)

    def cut(self) -> None:
        """Lose the connection and make it anew."""
        self.refuse()
        self.restore()

    def refuse(self) -> None:
        """Lose the connection, and let attempts to connect fail until `restore`."""
        was_up, self._up = self._up, False
        if was_up:
            self._listener.on_disconnected()

    def restore(self) -> None:
        self._up = True
        self._listener.on_connected()

    def block(self, *, blocked: bool) -> None:
        """Act as a broker with a memory alarm."""
        self._listener.on_blocked(blocked=blocked)

    def reject(self, *, full: bool) -> None:
        """Act as a broker whose queue is full, and whose policy is to refuse what comes then."""
        self._rejecting = full

    def _watch(self) -> None:
        while not self._closed.wait(self._ask_every):
            if not self._listener.wants_to_see_queue():
                break
            if self._up:
                self._listener.on_queue_seen(self._queue.state(time.monotonic()))
        self._watching = False


@dataclass(eq=False)
class InMemoryServerTransport:
    """Consumes an `InMemoryQueue`, with `prefetch` unfinished deliveries at most."""

    queue: InMemoryQueue
    prefetch: int
    _listener: ServerListener | None = None
    _unfinished: dict[int, _Message] = field(default_factory=dict)
    _next_tag: int = 0

    @property
    def has_room(self) -> bool:
        return len(self._unfinished) < self.prefetch

    def start(self, listener: ServerListener) -> None:
        self._listener = listener
        self.queue.add(self)

    def deliver(self, message: _Message) -> None:
        """Called by the queue."""
        self._next_tag += 1
        self._unfinished[self._next_tag] = message
        call = message.call
        ours = {BUDGET_HEADER: int(call.deadline.remaining() * 1000), SENT_HEADER: message.sent_ms}
        headers = {**call.headers, **ours}
        delivery = Delivery(self._next_tag, call.correlation_id, _REPLY_TO, call.body, headers, message.redelivered)
        if self._listener is not None:
            self._listener.on_delivery(delivery)

    def finish(self, delivery: Delivery, reply: Reply | None) -> None:
        with self.queue.lock:
            message = self._unfinished.pop(delivery.token, None) if isinstance(delivery.token, int) else None
            if message is not None and reply is not None:
                message.sender.receive(reply)
            self.queue.dispatch()

    def stop_consuming(self, timeout: float) -> None:
        self.queue.remove(self)

    def close(self) -> None:
        """Unfinished deliveries go back to the queue, as when a connection closes."""
        with self.queue.lock:
            self.queue.remove(self)
            messages = list(self._unfinished.values())
            self._unfinished.clear()
            for message in messages:
                message.redelivered = True
            self.queue.put_back(messages)
