"""Recorded: real quotes of past days, bundled, so that the system can be tried where no provider can be reached.

They are never passed off as fresh: the source is `recorded` and the as-of time is that of the recording.
"""

from datetime import UTC, datetime
from importlib import resources
from typing import ClassVar, Final

from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.providers.base import FailureKind, ProviderError
from stock_service.providers.rows import read_quote, read_rows

_FILE: Final = "recorded_quotes.csv"


class Recorded:
    """Knows its own rows only, so its miss means nothing while a provider that knows the market is out."""

    name: ClassVar[str] = "recorded"
    not_found_is_final: ClassVar[bool] = False

    def __init__(self) -> None:
        table = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
        self._rows = {row["symbol"]: row for row in read_rows(table)}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def fetch(self, symbol: str, deadline: Deadline) -> Quote:
        row = self._rows.get(symbol.upper())
        if row is None:
            raise ProviderError(FailureKind.NOT_FOUND)
        return read_quote(row, symbol, self.name, datetime.now(UTC))
