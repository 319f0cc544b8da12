"""Served as `stock_service/rpc_server.py` serves, with the number of threads that is its default."""

import logging

from amqp_rpc import Request, serve
from benchmarks.rpc.programs.contract import answer, arguments, ready
from service_kit.logs import configure_logging
from service_kit.time_budget import GRACEFUL_STOP, HANDLER_HUNG, HEARTBEAT
from stock_service.settings import load


def main() -> None:
    url, queue = arguments()
    settings = load({})
    configure_logging(settings.log_level, as_json=settings.logs_as_json)
    logging.getLogger("amqp_rpc.amqp_server").addFilter(_watch)
    serve(
        url,
        queue,
        _handle,
        exchange=queue,
        workers=settings.worker_threads,
        drain_seconds=GRACEFUL_STOP,
        hung_after=HANDLER_HUNG,
        heartbeat=HEARTBEAT,
    )


def _watch(record: logging.LogRecord) -> bool:
    """Say when the queue is there and consumed."""
    if record.msg == "rpc.consuming":
        ready()
    return True


def _handle(request: Request) -> bytes:
    return answer(request.body)


if __name__ == "__main__":
    main()
