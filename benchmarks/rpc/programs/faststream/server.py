"""A subscriber whose returned value is the reply; acknowledged after it."""

import asyncio

import uvloop
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from benchmarks.rpc.programs.contract import PREFETCH, arguments, quote, ready


async def main() -> None:
    url, queue = arguments()
    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=PREFETCH), logger=None)

    @broker.subscriber(RabbitQueue(queue, durable=True))
    async def on_request(symbol: str) -> dict[str, object]:
        return quote(symbol)

    await broker.start()
    ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
