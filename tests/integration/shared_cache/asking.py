"""Asking a lookup for one symbol, and the answer that there is none."""

from typing import Any

from service_kit.deadline import Deadline
from stock_contract import ErrorCode, Failure
from stock_service.lookup import QuoteLookup

MISS = Failure(ErrorCode.SYMBOL_NOT_FOUND)


def one(lookup: QuoteLookup, seconds: float = 6) -> Any:
    (result,) = lookup(["aapl.us"], Deadline.after(seconds))
    return result
