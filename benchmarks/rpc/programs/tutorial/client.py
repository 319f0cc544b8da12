"""Each call connects, declares a reply queue of its own, publishes, waits, and closes."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pika

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, arguments, question
from benchmarks.rpc.programs.driving import drive


def main() -> None:
    url, queue = arguments()
    parameters = pika.URLParameters(url)

    def call(symbol: str) -> Mapping[str, Any]:
        connection = pika.BlockingConnection(parameters)
        try:
            reply: Mapping[str, Any] = json.loads(_ask(connection, queue, question(symbol)))
        finally:
            connection.close()
        return reply

    drive(lambda _: call)


def _ask(connection: pika.BlockingConnection, queue: str, body: bytes) -> bytes:
    channel = connection.channel()
    reply_queue = channel.queue_declare("", exclusive=True).method.queue
    correlation_id = str(uuid.uuid4())
    replies: list[bytes] = []

    def on_reply(_channel: object, _method: object, properties: pika.BasicProperties, reply: bytes) -> None:
        if properties.correlation_id == correlation_id:
            replies.append(reply)

    channel.basic_consume(reply_queue, on_reply, auto_ack=True)
    channel.basic_publish("", queue, body, pika.BasicProperties(reply_to=reply_queue, correlation_id=correlation_id))
    while not replies:
        connection.process_data_events(time_limit=CALL_TIMEOUT)
    return replies[0]


if __name__ == "__main__":
    main()
