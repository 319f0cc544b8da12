"""Recorded: real quotes of past days, bundled, so that the system can be tried where no provider can be reached.

They are never passed off as fresh: the source is `recorded` and the as-of time is that of the recording.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import ClassVar, Final

from service_kit.deadline import Deadline
from stock_service.providers.base import Outcomes
from stock_service.providers.rows import read_quote, read_rows

_FILE: Final = "recorded_quotes.csv"


class Recorded:
    """Covers its own rows only."""

    name: ClassVar[str] = "recorded"

    def __init__(self) -> None:
        table = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
        self._rows = {row["symbol"]: row for row in read_rows(table)}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def batches(self, symbols: Sequence[str]) -> Sequence[Sequence[str]]:
        known = [symbol for symbol in symbols if symbol.upper() in self._rows]
        return [known] if known else []

    def fetch(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        now = datetime.now(UTC)
        return {symbol: read_quote(self._rows[symbol.upper()], symbol, self.name, now) for symbol in symbols}
