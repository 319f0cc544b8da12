"""The providers that can stand in `QUOTE_PROVIDERS`. A new one is a module here and a line in `FACTORIES`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from stock_service.providers.cboe import Cboe
from stock_service.providers.recorded import Recorded
from stock_service.providers.stooq import Stooq
from stock_service.providers.twelvedata import TwelveData
from stock_service.providers.yahoo import Yahoo

if TYPE_CHECKING:
    # stock_service.settings takes the allowed names from here, so it cannot be imported when this module runs.
    from stock_service.providers.base import Fetch, Provider
    from stock_service.settings import Settings

Factory: TypeAlias = "Callable[[Settings, Fetch], Provider]"

FACTORIES: Final[Mapping[str, Factory]] = {
    "stooq": lambda settings, fetch: Stooq(settings.stooq_url, fetch),
    "yahoo": lambda settings, fetch: Yahoo(settings.yahoo_url, fetch),
    "cboe": lambda settings, fetch: Cboe(settings.cboe_url, fetch),
    "twelvedata": lambda settings, fetch: TwelveData(settings.twelvedata_url, settings.twelvedata_api_key, fetch),
    "recorded": lambda _settings, _fetch: Recorded(),
}
