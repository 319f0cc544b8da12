"""A service with one entry point, and as many workers as calls are outstanding."""

import eventlet

eventlet.monkey_patch()  # before anything else is imported, as `nameko run` does it

from kombu.pools import set_limit
from nameko.amqp.publish import Publisher
from nameko.constants import NON_PERSISTENT
from nameko.containers import ServiceContainer
from nameko.rpc import rpc

from benchmarks.rpc.programs.contract import PREFETCH, arguments, quote, ready

url, queue = arguments()


class Quotes:
    name = queue

    @rpc  # type: ignore[untyped-decorator,unused-ignore]  # nameko has no types
    def quote(self, symbol: str) -> dict[str, object]:
        return quote(symbol)


def main() -> None:
    Publisher.delivery_mode = NON_PERSISTENT
    set_limit(PREFETCH)
    container = ServiceContainer(Quotes, config={"AMQP_URI": url, "max_workers": PREFETCH})
    container.start()
    ready()
    container.wait()


if __name__ == "__main__":
    main()
