"""Reads fields of providers' JSON, exactly and without trust: what is not as it should be is `malformed`."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Never

from stock_service.providers.base import malformed

_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,30})?", re.ASCII)
_MAX_PRICE: Final = Decimal(10) ** 12
_MAX_PLACES: Final = 10
_SMALLEST_STEP: Final = Decimal(1).scaleb(-_MAX_PLACES)
"""The contract's prices have ten decimal places; more come only from binary floats."""
_MAX_VOLUME: Final = 10**18
_LATEST: Final = 4_102_444_800
"""2100-01-01 as seconds since 1970."""


def read_object(body: bytes) -> Mapping[str, Any]:
    """The body as a JSON object, numbers with a point as exact decimals.

    :raises ProviderError: malformed.
    """
    try:
        message = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, InvalidOperation) as error:  # ValueError covers bad UTF-8 and huge integers
        raise malformed("not JSON") from error
    return as_object(message)


def as_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise malformed("not an object where one should be")
    return value


def price(value: object, factor: Decimal = Decimal(1)) -> Decimal:
    """A number, or a number in a string; a price of nothing is how an outage looks like a quote."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value <= _MAX_PRICE:
        raise malformed("not a price")
    exact = Decimal(value) * factor
    rounded = exact.quantize(_SMALLEST_STEP)
    if not 0 < rounded <= _MAX_PRICE:
        raise malformed("not a price")
    exponent = exact.as_tuple().exponent
    return exact if isinstance(exponent, int) and exponent >= -_MAX_PLACES else rounded


def volume(value: object) -> int | None:
    """A whole number, or one in a string; None when there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:  # noqa: PLR2004
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_VOLUME:
        raise malformed("not a volume")
    return value


def epoch(value: object) -> datetime:
    """Whole seconds since 1970, as a time in UTC."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LATEST:
        raise malformed("not a time")
    return datetime.fromtimestamp(value, UTC)


def text(value: object) -> str:
    """A string, or nothing: an empty one."""
    if value is not None and not isinstance(value, str):
        raise malformed("not a text")
    return value or ""


def currency(value: object) -> str | None:
    """A currency as the provider writes it: `GBp` are pence and stay pence."""
    code = text(value)
    if code and not (code.isascii() and code.isalnum() and len(code) <= 8):  # noqa: PLR2004  the contract's limit
        raise malformed("not a currency")
    return code or None


def _refuse(constant: str) -> Never:
    raise ValueError(constant)  # NaN and Infinity are not JSON
