"""The stock worker with two faults built in: `poison...` ends the process, `hang...` never comes back."""

import os
import threading

from amqp_rpc import Request, serve
from service_kit.logs import configure_logging
from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from stock_service.lookup import build_lookup
from stock_service.rpc_handler import RpcHandler
from stock_service.settings import load_or_exit

settings = load_or_exit()
configure_logging(settings.log_level, as_json=True)
handler = RpcHandler(build_lookup(settings))


def handle(request: Request) -> bytes:
    if b"poison" in request.body:
        os._exit(1)
    if b"hang" in request.body:
        threading.Event().wait()
    return handler.handle(request)


serve(
    settings.rabbitmq_url,
    REQUEST_QUEUE,
    handle,
    exchange=REQUEST_EXCHANGE,
    workers=2,
    drain_seconds=1.0,
    hung_after=0.5,
    heartbeat_file=settings.worker_heartbeat_file,
)
