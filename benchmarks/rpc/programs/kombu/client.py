"""Callers leave their messages with one I/O thread, which alone touches the connection; replies by direct reply-to."""

import collections
import json
import os
import select
import threading
import uuid
from collections.abc import Mapping
from typing import Any, Final

import kombu

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, arguments, question
from benchmarks.rpc.programs.driving import drive

_REPLY_TO: Final = "amq.rabbitmq.reply-to"


def main() -> None:
    client = _Client(*arguments())
    drive(lambda _: client.call)


class _Waiting:
    """A call, and the lock that its caller waits on."""

    def __init__(self, symbol: str) -> None:
        self.correlation_id = uuid.uuid4().hex
        self.body = question(symbol)
        self.reply = b""
        self.done = threading.Lock()
        self.done.acquire()


class _Client:
    def __init__(self, url: str, queue: str) -> None:
        self._queue = queue
        self._connection = kombu.Connection(url)
        self._channel = self._connection.channel()
        self._producer = kombu.Producer(self._channel, serializer=None)
        self._consumer = kombu.Consumer(
            self._channel, [kombu.Queue(_REPLY_TO, no_declare=True)], on_message=self._on_reply, no_ack=True
        )
        self._consumer.consume()
        self._outbox: collections.deque[_Waiting] = collections.deque()
        self._waiting: dict[str, _Waiting] = {}
        self._woken = False
        self._wake_out, self._wake_in = os.pipe()
        threading.Thread(target=self._run, daemon=True).start()

    def call(self, symbol: str) -> Mapping[str, Any]:
        waiting = _Waiting(symbol)
        self._outbox.append(waiting)
        if not self._woken:
            self._woken = True
            os.write(self._wake_in, b".")
        if not waiting.done.acquire(timeout=CALL_TIMEOUT):
            raise TimeoutError
        reply: Mapping[str, Any] = json.loads(waiting.reply)
        return reply

    def _run(self) -> None:
        socket = self._connection.connection.sock
        while True:
            readable, _, _ = select.select([socket, self._wake_out], [], [])
            if self._wake_out in readable:
                os.read(self._wake_out, 4096)
                self._woken = False
                self._publish_all()
            if socket in readable:
                self._read()

    def _read(self) -> None:
        """What py-amqp has read ahead is not seen by `select`, so read until there is nothing left."""
        try:
            while True:
                self._connection.drain_events(timeout=0)
        except TimeoutError:
            pass

    def _publish_all(self) -> None:
        while self._outbox:
            waiting = self._outbox.popleft()
            self._waiting[waiting.correlation_id] = waiting
            self._producer.publish(
                waiting.body,
                routing_key=self._queue,
                reply_to=_REPLY_TO,
                correlation_id=waiting.correlation_id,
                delivery_mode="transient",
                content_type="application/json",
                content_encoding="utf-8",
            )

    def _on_reply(self, message: Any) -> None:
        waiting = self._waiting.pop(message.properties["correlation_id"])
        waiting.reply = message.body
        waiting.done.release()


if __name__ == "__main__":
    main()
