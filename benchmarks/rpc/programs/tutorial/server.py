"""One thread, one request at a time (prefetch 1), reply and acknowledgement from the callback."""

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from benchmarks.rpc.programs.contract import answer, arguments, ready


def main() -> None:
    url, queue = arguments()
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.queue_declare(queue)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, _on_request)
    ready()
    channel.start_consuming()


def _on_request(
    channel: BlockingChannel, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes
) -> None:
    channel.basic_publish(
        "", properties.reply_to or "", answer(body), pika.BasicProperties(correlation_id=properties.correlation_id)
    )
    channel.basic_ack(method.delivery_tag or 0)


if __name__ == "__main__":
    main()
