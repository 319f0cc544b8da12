"""A registered coroutine."""

import asyncio

import aio_pika
import uvloop
from aio_pika.patterns import JsonRPC

from benchmarks.rpc.programs.contract import PREFETCH, arguments, quote, ready


async def main() -> None:
    url, queue = arguments()
    connection = await aio_pika.connect(url)
    channel = await connection.channel(publisher_confirms=False)
    await channel.set_qos(prefetch_count=PREFETCH)
    rpc = await JsonRPC.create(channel)
    await rpc.register(queue, _quote)
    ready()
    await asyncio.Event().wait()


async def _quote(*, symbol: str) -> dict[str, object]:
    return quote(symbol)


if __name__ == "__main__":
    uvloop.run(main())
