"""Our API with a stock service that costs nothing: what is left when the RPC call is a constant."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from api_service.app import create_app
from api_service.settings import load_or_exit
from api_service.stock_clients.bulkhead import Bulkhead
from service_kit.deadline import Deadline
from service_kit.logs import configure_logging
from stock_contract import Failure, ProviderStatus, Quote

_NOW: Final = datetime.now(UTC)
_QUOTE: Final = Quote(
    symbol="AAPL.US",
    name="APPLE",
    open=Decimal("148.43"),
    high=Decimal("150.4"),
    low=Decimal("147.48"),
    close=Decimal("149.99"),
    volume=63_804_008,
    currency="USD",
    source="constant",
    as_of=_NOW,
    fetched_at=_NOW,
    fresh_until=_NOW + timedelta(hours=1),
)


class Constant:
    """A `StockClient` that has the answer already."""

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        return tuple(replace(_QUOTE, symbol=symbol.upper()) for symbol in symbols)

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        return ()

    def reachable(self, deadline: Deadline) -> bool:
        return True

    def prepare(self, deadline: Deadline) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """There is nothing to close."""


_settings = load_or_exit()
configure_logging(_settings.log_level, as_json=_settings.in_production)
app = create_app(_settings, Bulkhead(Constant(), _settings.stock_calls))
