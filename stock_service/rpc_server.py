"""Runs the RabbitMQ door: `python rpc_server.py` here, or `python -m stock_service.rpc_server` from anywhere."""

import sys
from pathlib import Path

if not __package__:
    # Run as a script, Python looks for modules in this folder first. It must be the repository's root instead: the
    # packages are there, and `fetch` or `settings` here must not be found under such short names.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from prometheus_client import REGISTRY

from amqp_rpc import serve
from service_kit import tracing
from service_kit.logs import configure_logging
from service_kit.metrics_server import listen_or_exit, serve_metrics
from service_kit.time_budget import GRACEFUL_STOP, HANDLER_HUNG, HEARTBEAT
from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from stock_service.lookup import build_lookup
from stock_service.rpc_handler import RpcHandler
from stock_service.rpc_metrics import RpcMetrics
from stock_service.settings import load_or_exit


def main() -> None:
    """Serve until SIGTERM or SIGINT; wrong settings end the process with status 2."""
    settings = load_or_exit()
    configure_logging(settings.log_level, as_json=settings.logs_as_json)
    if settings.metrics_port:
        serve_metrics(listen_or_exit(settings.bind_host, settings.metrics_port), REGISTRY)
    tracing.start("stock_service", settings.traces_endpoint)
    serve(
        settings.rabbitmq_url,
        REQUEST_QUEUE,
        RpcHandler(build_lookup(settings)).handle,
        exchange=REQUEST_EXCHANGE,
        workers=settings.worker_threads,
        drain_seconds=GRACEFUL_STOP,
        hung_after=HANDLER_HUNG,
        heartbeat=HEARTBEAT,
        heartbeat_file=settings.worker_heartbeat_file,
        ca=settings.rabbitmq_ca,
        observer=RpcMetrics() if settings.metrics_port else None,
    )


if __name__ == "__main__":
    main()
