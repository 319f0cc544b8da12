"""The way to the stock service: one small interface, over RPC or over HTTP."""

from api_service.stock_clients.base import (
    BadStockReplyError,
    StockClient,
    StockServiceError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.stock_clients.factory import make_stock_client

__all__ = [
    "BadStockReplyError",
    "StockClient",
    "StockServiceError",
    "StockServiceFailedError",
    "StockServiceTimeoutError",
    "StockServiceUnavailableError",
    "UnavailableReason",
    "make_stock_client",
]
