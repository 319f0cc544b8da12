"""Reading the parts of a request; whatever is wrong with them ends in a 400 that says what to send instead."""

from http import HTTPStatus
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import BadRequest

from service_kit.problems import Problem
from stock_contract import MAX_SYMBOL_LENGTH, is_valid_symbol


def json_body(schema: Schema) -> dict[str, Any]:
    """The JSON body as `schema` reads it.

    :raises Problem: 400, it is not JSON or not of that schema.
    :raises UnsupportedMediaType: 415, it does not claim to be JSON.
    """
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
    detail = f"Give one stock symbol of 1 to {MAX_SYMBOL_LENGTH} characters in {name}, for example {name}=aapl.us."
    raise Problem(HTTPStatus.BAD_REQUEST, "invalid-symbol", detail)
