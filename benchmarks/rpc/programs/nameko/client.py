"""Threads with a proxy each: nameko's proxy serves one thread."""

from collections.abc import Mapping
from typing import Any

from kombu.pools import set_limit
from nameko.amqp.publish import Publisher
from nameko.constants import NON_PERSISTENT
from nameko.standalone.rpc import ClusterRpcProxy

from benchmarks.rpc.programs.contract import CALL_TIMEOUT, PREFETCH, arguments
from benchmarks.rpc.programs.driving import Call, drive


def main() -> None:
    url, queue = arguments()
    Publisher.delivery_mode = NON_PERSISTENT
    set_limit(PREFETCH)
    calls: list[Call] = []

    def caller(number: int) -> Call:
        while len(calls) <= number:
            calls.append(_connected(url, queue))
        return calls[number]

    drive(caller)


def _connected(url: str, queue: str) -> Call:
    service = ClusterRpcProxy({"AMQP_URI": url}, timeout=CALL_TIMEOUT).start()[queue]

    def call(symbol: str) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = service.quote(symbol)
        return reply

    return call


if __name__ == "__main__":
    main()
