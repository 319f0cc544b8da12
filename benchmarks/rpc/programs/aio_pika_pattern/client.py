"""Tasks that share one RPC object."""

from collections.abc import Mapping
from typing import Any

import aio_pika
import uvloop
from aio_pika.patterns import JsonRPC

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, arguments
from benchmarks.rpc.programs.driving import drive_async


async def main() -> None:
    url, queue = arguments()
    connection = await aio_pika.connect(url)
    rpc = await JsonRPC.create(await connection.channel(publisher_confirms=False))

    async def call(symbol: str) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = await rpc.call(
            queue, {"symbol": symbol}, delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT, expiration=CALL_TIMEOUT
        )
        return reply

    await drive_async(call)


if __name__ == "__main__":
    uvloop.run(main())
