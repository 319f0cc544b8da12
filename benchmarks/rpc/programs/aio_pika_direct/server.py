"""Replies and then acknowledges from the consumer's callback."""

import asyncio

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from benchmarks.rpc.programs.contract import PREFETCH, answer, arguments, ready


async def main() -> None:
    url, name = arguments()
    connection = await aio_pika.connect(url)
    channel = await connection.channel(publisher_confirms=False)
    await channel.set_qos(prefetch_count=PREFETCH)
    queue = await channel.declare_queue(name, durable=True)

    async def on_request(message: AbstractIncomingMessage) -> None:
        reply = aio_pika.Message(answer(message.body), correlation_id=message.correlation_id)
        await channel.default_exchange.publish(reply, message.reply_to or "", mandatory=False)
        await message.ack()

    await queue.consume(on_request)
    ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
