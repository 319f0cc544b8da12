"""Reading the parts of a request; whatever is wrong with them ends in a 400 that says what to send instead."""

import re
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from api_service.documented import Parameter, list_of
from api_service.models import MAX_IDEMPOTENCY_KEY_LENGTH
from service_kit.problems import Problem
from stock_contract import MAX_SYMBOL_LENGTH, MAX_SYMBOLS_PER_REQUEST, is_valid_symbol

_IDEMPOTENCY_KEY: Final = re.compile(rf"[!-+\--~]{{1,{MAX_IDEMPOTENCY_KEY_LENGTH}}}", re.ASCII)

SYMBOL: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_SYMBOL_LENGTH,
    "pattern": rf"^[A-Za-z0-9^][A-Za-z0-9.^_=-]{{0,{MAX_SYMBOL_LENGTH - 1}}}$",
}
"""JSON Schema of what `is_valid_symbol` takes."""

Q: Final = Parameter(
    "q",
    "The symbol; a US stock looks like `aapl.us`. It stands there once.",
    SYMBOL,
    required=True,
    example="aapl.us",
    refused_as="invalid-symbol",
)
SYMBOL_OF_PATH: Final = replace(
    Q, name="symbol", description="The symbol; a US stock looks like `aapl.us`.", place="path"
)
SYMBOLS: Final = Parameter(
    "symbols",
    f"1 to {MAX_SYMBOLS_PER_REQUEST} symbols, separated by commas. One that stands there twice is answered and saved"
    " twice.",
    list_of(SYMBOL, at_least=1, at_most=MAX_SYMBOLS_PER_REQUEST),
    required=True,
    example=["aapl.us", "msft.us"],
    refused_as="invalid-symbols",
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "A new one of your own for each call, for example a UUID; no comma. Within 24 hours the same call with the same"
    " key gives the first answer again, and saves nothing.",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH,
        "pattern": f"^{_IDEMPOTENCY_KEY.pattern}$",
    },
    place="header",
    refused_as="invalid-idempotency-key",
)


def json_body(schema: Schema) -> dict[str, Any]:
    """The JSON body as `schema` reads it.

    :raises Problem: 400, it is not JSON or not of that schema.
    :raises RequestEntityTooLarge: 413, it is longer than bodies may be.
    :raises UnsupportedMediaType: 415, it does not claim to be JSON.
    """
    _refuse_cut_body()
    try:
        data = request.get_json()
    except (BadRequest, RecursionError):  # deep nesting ends the parser's stack
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.") from None
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        detail = f"The body must be a JSON object with: {', '.join(schema.fields)}. See errors."
        extra = {"errors": error.messages}
        raise Problem(HTTPStatus.BAD_REQUEST, "invalid-body", detail, extra=extra) from None
    return loaded


def symbol_of_query(name: str) -> str:
    """The stock symbol in query parameter `name`, which must stand there exactly once.

    :raises Problem: 400, it is not there, there twice, or no symbol code.
    """
    values = request.args.getlist(name)
    if len(values) == 1 and is_valid_symbol(values[0]):
        return values[0]
    raise _invalid_symbol(f"in {name}, for example {name}=aapl.us")


def symbol_of_path(text: str) -> str:
    """`text`, the last part of the path, when it is a symbol code.

    :raises Problem: 400, it is not.
    """
    if is_valid_symbol(text):
        return text
    raise _invalid_symbol("as the last part of the path, for example /quotes/aapl.us")


def symbols_of_query(name: str) -> list[str]:
    """The 1 to 50 stock symbols in query parameter `name`, in order, repeated ones included.

    :raises Problem: 400, it is not there, there twice, has too few or too many, or one that is no symbol code.
    """
    values = request.args.getlist(name)
    symbols = values[0].split(",") if len(values) == 1 and values[0] else []
    if not symbols:
        raise _invalid_symbols(name, "There is no list of symbols, or more than one.")
    if len(symbols) > MAX_SYMBOLS_PER_REQUEST:
        raise _invalid_symbols(name, f"{len(symbols)} symbols are too many for one call.")
    for position, symbol in enumerate(symbols, start=1):
        if not is_valid_symbol(symbol):
            raise _invalid_symbols(name, f"Number {position} is not a symbol: {_shown(symbol)}.")
    return symbols


def flag_of_query(name: str) -> bool:
    """Tell whether the query says `name`=true; left out it is no.

    :raises Problem: 400, it says something else.
    """
    values = request.args.getlist(name)
    if values not in ([], ["true"], ["false"]):
        raise Problem(HTTPStatus.BAD_REQUEST, "invalid-parameter", f"{name} is true or false, and given once.")
    return values == ["true"]


def idempotency_key() -> str | None:
    """The key of the `Idempotency-Key` header, None without one.

    A comma is what a server puts between two headers of one name, so a key has none.

    :raises Problem: 400, it is empty, too long, holds what a key cannot, or stands there twice.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None or _IDEMPOTENCY_KEY.fullmatch(key):
        return key
    detail = (
        f"Send Idempotency-Key once, with 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} visible ASCII characters other than a"
        " comma, for example a new UUID for each call."
    )
    raise Problem(HTTPStatus.BAD_REQUEST, "invalid-idempotency-key", detail)


def _refuse_cut_body() -> None:
    """Werkzeug cuts a body without a declared length off at the limit, and what is left may be JSON by itself."""
    if request.content_length is None and len(request.get_data()) == request.max_content_length:
        raise RequestEntityTooLarge


def _invalid_symbol(where: str) -> Problem:
    detail = f"Give one stock symbol of 1 to {MAX_SYMBOL_LENGTH} characters {where}."
    return Problem(HTTPStatus.BAD_REQUEST, "invalid-symbol", detail)


def _invalid_symbols(name: str, what: str) -> Problem:
    detail = (
        f"{what} Give {name} once, with 1 to {MAX_SYMBOLS_PER_REQUEST} stock symbols of 1 to {MAX_SYMBOL_LENGTH}"
        f" characters, separated by commas and nothing else, for example {name}=aapl.us,msft.us."
    )
    return Problem(HTTPStatus.BAD_REQUEST, "invalid-symbols", detail)


def _shown(symbol: str) -> str:
    """What the caller sent, short and in printable ASCII."""
    return ascii(symbol if len(symbol) <= MAX_SYMBOL_LENGTH else f"{symbol[:MAX_SYMBOL_LENGTH]}...")
