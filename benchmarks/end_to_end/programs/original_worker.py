"""The original way, the other half: the server of RabbitMQ's tutorial, one request at a time, without a cache.

The provider is a local stand-in that answers at once, so nothing is waited for.
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any, Final

import pika
import requests

_QUEUE: Final = "rpc_queue"


def main() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"]))
    channel = connection.channel()
    channel.queue_declare(_QUEUE)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(_QUEUE, _on_request)
    Path(os.environ["WORKER_HEARTBEAT_FILE"]).touch()
    channel.start_consuming()


def _on_request(channel: Any, method: Any, properties: Any, body: bytes) -> None:
    found = requests.get(
        os.environ["STOOQ_URL"], params={"s": body.decode(), "f": "sd2t2ohlcvn", "e": "csv"}, timeout=5
    )
    (row,) = csv.DictReader(io.StringIO(found.text))
    answer = {name.lower(): value for name, value in row.items()}
    reply = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, json.dumps(answer).encode(), reply)
    channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    main()
