"""Chooses the transport that the settings name."""

from functools import partial

from amqp_rpc import connect_client
from api_service.rpc_metrics import RpcMetrics
from api_service.settings import Settings
from api_service.stock_clients.base import StockClient
from api_service.stock_clients.bulkhead import Bulkhead
from api_service.stock_clients.rpc import RpcStockClient
from api_service.stock_clients.shared import SharedCalls
from service_kit import time_budget
from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE


def make_stock_client(settings: Settings) -> StockClient:
    # The bulkhead comes first: who shares another one's call holds a thread as well.
    return Bulkhead(SharedCalls(_make_transport(settings)), limit=settings.stock_calls)


def _make_transport(settings: Settings) -> StockClient:
    if settings.stock_transport == "http":
        from api_service.stock_clients.http import HttpStockClient  # a process that needs none starts sooner

        return HttpStockClient(settings.stock_service_url, max_connections=settings.stock_calls)
    return RpcStockClient(
        partial(
            connect_client,
            settings.rabbitmq_url,
            REQUEST_QUEUE,
            exchange=REQUEST_EXCHANGE,
            grace=time_budget.NO_SERVER_GRACE,
            heartbeat=time_budget.HEARTBEAT,
            max_in_flight=settings.stock_calls,
            ca=settings.rabbitmq_ca,
            observer=RpcMetrics() if settings.metrics_port else None,
        )
    )
