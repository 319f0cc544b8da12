"""Tasks that take the broker objects in turn."""

import itertools
import json
from collections.abc import Mapping
from typing import Any, Final

import uvloop
from faststream.rabbit import RabbitBroker

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, arguments
from benchmarks.rpc.programs.driving import drive_async

_BROKERS: Final = 8


async def main() -> None:
    url, queue = arguments()
    brokers = [RabbitBroker(url, logger=None) for _ in range(_BROKERS)]
    for broker in brokers:
        await broker.connect()
    turns = itertools.cycle(brokers)

    async def call(symbol: str) -> Mapping[str, Any]:
        message = await next(turns).request(symbol, queue, timeout=CALL_TIMEOUT)
        reply: Mapping[str, Any] = json.loads(message.body)
        return reply

    await drive_async(call)


if __name__ == "__main__":
    uvloop.run(main())
