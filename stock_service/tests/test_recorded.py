"""The bundled quotes: all of them valid, each with its true date."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from service_kit.deadline import Deadline
from stock_contract import dump_quote, is_valid_symbol, load_quote
from stock_service.providers.recorded import Recorded


@pytest.fixture
def deadline() -> Deadline:
    return Deadline.after(1)


def test_every_row_is_a_valid_quote_of_the_past(deadline: Deadline) -> None:
    recorded = Recorded()

    assert {"AAPL.US", "BRK-B.US", "SPY.US", "COIN.US", "^SPX", "OTP.HU", "ACU.US", "PKN"} <= set(recorded.symbols)
    for symbol in recorded.symbols:
        quote = recorded.fetch([symbol], deadline)[symbol]
        assert is_valid_symbol(symbol)
        assert load_quote(dump_quote(quote)) == quote
        assert quote.symbol == symbol
        assert quote.low <= min(quote.open, quote.close)
        assert quote.high >= max(quote.open, quote.close)
        assert quote.as_of < datetime(2026, 6, 5, tzinfo=UTC)


def test_the_source_and_the_time_of_the_recording_are_told(deadline: Deadline) -> None:
    quote = Recorded().fetch(["aapl.us"], deadline)["aapl.us"]

    assert (quote.symbol, quote.name, quote.close) == ("AAPL.US", "APPLE INC", Decimal("249.94"))
    assert quote.source == "recorded"
    assert quote.as_of == datetime(2026, 3, 18, 20, 0, 19, tzinfo=UTC)
    assert (datetime.now(UTC) - quote.fetched_at).total_seconds() < 5


def test_other_symbols_are_not_covered() -> None:
    recorded = Recorded()

    assert recorded.batches(["NOSUCH.US", "aapl.us", "^SPX"]) == [["aapl.us", "^SPX"]]
    assert recorded.batches(["NOSUCH.US"]) == []
