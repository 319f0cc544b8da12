"""One thread that consumes, answers and acknowledges; no pool, because nothing here waits."""

from typing import Any

import kombu

from benchmarks.rpc.programs.contract import PREFETCH, answer, arguments, ready


def main() -> None:
    url, name = arguments()
    connection = kombu.Connection(url)
    channel = connection.channel()
    producer = kombu.Producer(channel, serializer=None)
    queue = kombu.Queue(name, durable=True)

    def on_request(message: Any) -> None:
        producer.publish(
            answer(message.body),
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties["correlation_id"],
            delivery_mode="transient",
            content_type="application/json",
            content_encoding="utf-8",
        )
        message.ack()

    with kombu.Consumer(channel, [queue], on_message=on_request, prefetch_count=PREFETCH):
        ready()
        while True:
            connection.drain_events()


if __name__ == "__main__":
    main()
