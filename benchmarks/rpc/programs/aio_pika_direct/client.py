"""Tasks that share one channel; a reply ends the future of its correlation id."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, arguments, question
from benchmarks.rpc.programs.driving import drive_async

_REPLY_TO: Final = "amq.rabbitmq.reply-to"


async def main() -> None:
    url, queue = arguments()
    connection = await aio_pika.connect(url)
    channel = await connection.channel(publisher_confirms=False)
    waiting: dict[str, asyncio.Future[bytes]] = {}

    async def on_reply(message: AbstractIncomingMessage) -> None:
        waiting.pop(message.correlation_id or "").set_result(message.body)

    async def call(symbol: str) -> Mapping[str, Any]:
        correlation_id = uuid.uuid4().hex
        future = waiting[correlation_id] = asyncio.get_running_loop().create_future()
        message = aio_pika.Message(question(symbol), correlation_id=correlation_id, reply_to=_REPLY_TO)
        await channel.default_exchange.publish(message, queue, mandatory=False)
        reply: Mapping[str, Any] = json.loads(await asyncio.wait_for(future, CALL_TIMEOUT))
        return reply

    replies = await channel.get_queue(_REPLY_TO, ensure=False)
    await replies.consume(on_reply, no_ack=True)
    await drive_async(call)


if __name__ == "__main__":
    uvloop.run(main())
