"""Which codes are symbols."""

import pytest

from stock_contract import is_valid_symbol


@pytest.mark.parametrize(
    "symbol", ["aapl.us", "AAPL", "^spx", "brk-b.us", "7203.jp", "EURUSD=X", "a", "a" * 20, "1_x"]
)
def test_symbol_codes(symbol: str) -> None:
    assert is_valid_symbol(symbol)


@pytest.mark.parametrize(
    "symbol", ["", "a" * 21, ".us", "-a", "_a", "=a", "a b", "a&f=x", "a#", "ä", "a\n", "٣", "a/b"]
)
def test_what_is_no_symbol_code(symbol: str) -> None:
    assert not is_valid_symbol(symbol)
