"""The serving side: checks each delivery, has worker threads handle it, and finishes each exactly once."""

import logging
import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Final

from amqp_rpc.messages import BUDGET_HEADER, SENT_HEADER, Delivery, Reply, Request
from amqp_rpc.observers import ServerEvent, ServerObserver
from amqp_rpc.transport import ServerTransport
from amqp_rpc.watchdog import Watchdog
from service_kit.deadline import Deadline

_log = logging.getLogger(__name__)

Handler = Callable[[Request], bytes]
"""Takes a request and returns the body of the reply. Called from several threads; must be safe to repeat."""

MAX_BODY: Final = 64 * 1024
_MAX_BUDGET: Final = 60.0
# Only reply addresses that a broker makes: a forged one could send our replies into a queue of somebody's choice.
_REPLY_TO: Final = re.compile(r"amq\.(rabbitmq\.reply-to\.|gen-)[A-Za-z0-9+/=._-]{1,200}", re.ASCII)
_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)


class RpcServer:
    """Serves requests with `workers` threads; give the transport the same number as its prefetch.

    :param default_budget: seconds of work for a request that does not say how long its caller waits.
    :param hung_after: seconds after the deadline of a request; when it is still in hand then, the process ends.
    :param observer: is told what comes of the requests.
    """

    def __init__(
        self,
        transport: ServerTransport,
        handler: Handler,
        *,
        workers: int,
        default_budget: float = 6.0,
        hung_after: float = 30.0,
        observer: ServerObserver | None = None,
    ) -> None:
        self._observer = observer
        self._transport = transport
        self._handler = handler
        self._watchdog = Watchdog(hung_after)
        self._default_budget = default_budget
        self._work: queue.SimpleQueue[tuple[Delivery, Request] | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._in_hand = 0
        self._threads = [
            threading.Thread(target=self._work_loop, name=f"rpc-worker-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._watchdog.start()
        self._transport.start(self)

    def drain(self, timeout: float) -> bool:
        """Take nothing new, finish and answer what was taken, and close; False if `timeout` seconds were too few."""
        deadline = Deadline.after(timeout)
        _log.info("rpc.draining", extra={"in_hand": self._in_hand})
        self._transport.stop_consuming(deadline.remaining())
        with self._idle:
            drained = self._idle.wait_for(lambda: self._in_hand == 0, deadline.remaining())
        for _ in self._threads:
            self._work.put(None)
        self._watchdog.stop()
        self._transport.close()
        _log.info("rpc.drained", extra={"unfinished": self._in_hand})
        return drained

    def on_delivery(self, delivery: Delivery) -> None:
        """Called by the transport."""
        if delivery.redelivered:
            _log.info("rpc.redelivered", extra={"correlation_id": delivery.correlation_id})
            self._tell(ServerEvent.REDELIVERED)
        checked = self._check(delivery)
        with self._idle:
            self._in_hand += 1
        if isinstance(checked, Request):
            self._work.put((delivery, checked))
        else:
            self._finish(delivery, checked)

    def _check(self, delivery: Delivery) -> Request | Reply | None:
        """The request that it holds; or the reply that refuses it; or None when nobody can be answered."""
        reply_to = _matching(_REPLY_TO, delivery.reply_to)
        correlation_id = _matching(_CORRELATION_ID, delivery.correlation_id)
        if reply_to is None or correlation_id is None:
            self._tell(ServerEvent.BAD_REQUEST)
            _log.warning("rpc.bad_envelope")  # acknowledged all the same: a requeue would bring it back for ever
            return None
        if len(delivery.body) > MAX_BODY:
            self._tell(ServerEvent.BAD_REQUEST)
            _log.warning("rpc.body_too_large", extra={"bytes": len(delivery.body)})
            return Reply(correlation_id, b"", failed=True)
        headers = {name: value for name, value in delivery.headers.items() if isinstance(value, str)}
        deadline = Deadline.after(self._budget(delivery.headers.get(BUDGET_HEADER)))
        sent_at = _seconds(delivery.headers.get(SENT_HEADER))
        return Request(delivery.body, headers, deadline, correlation_id, delivery.redelivered, sent_at)

    def _budget(self, milliseconds: object) -> float:
        if not isinstance(milliseconds, int):
            return self._default_budget
        return min(max(milliseconds, 0) / 1000, _MAX_BUDGET)

    def _work_loop(self) -> None:
        while (item := self._work.get()) is not None:
            delivery, request = item
            self._finish(delivery, self._reply_to(request))

    def _reply_to(self, request: Request) -> Reply | None:
        if request.deadline.expired:
            _log.info("rpc.expired", extra={"correlation_id": request.correlation_id})
            self._tell(ServerEvent.EXPIRED)
            return None
        if self._observer is None:
            return self._handled(request)
        return self._observed(self._observer, request)

    def _observed(self, observer: ServerObserver, request: Request) -> Reply:
        began_at = time.monotonic()
        observer.began(None if request.sent_at is None else max(0.0, time.time() - request.sent_at))
        reply = self._handled(request)
        observer.ended(time.monotonic() - began_at, failed=reply.failed)
        return reply

    def _tell(self, event: ServerEvent) -> None:
        if self._observer is not None:
            self._observer.happened(event)

    def _handled(self, request: Request) -> Reply:
        try:
            with self._watchdog.watching(request):
                body = self._handler(request)
            if not isinstance(body, bytes):
                raise TypeError("the handler returned no bytes")  # noqa: TRY301  its defect, and told as one
            return Reply(request.correlation_id, body)
        except Exception:  # noqa: BLE001  whatever the handler did, its caller gets an answer and the worker lives on
            _log.exception("rpc.handler_failed", extra={"correlation_id": request.correlation_id})
            return Reply(request.correlation_id, b"", failed=True)

    def _finish(self, delivery: Delivery, reply: Reply | None) -> None:
        self._transport.finish(delivery, reply)
        with self._idle:
            self._in_hand -= 1
            if self._in_hand == 0:
                self._idle.notify_all()


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int) else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    """`value` if it is a text of that pattern; what is not UTF-8 comes from pika as bytes."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
