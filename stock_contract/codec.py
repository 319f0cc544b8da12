"""Messages to bytes and back. Every decoder raises `MalformedMessageError` for anything that it cannot read."""

import json
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError

from stock_contract.messages import CONTRACT_VERSION, Failure, Quote, QuoteReply, QuoteRequest
from stock_contract.schemas import FailureSchema, QuoteSchema, RequestSchema

_REQUEST: Final = RequestSchema()
_QUOTE: Final = QuoteSchema()
_FAILURE: Final = FailureSchema()


class MalformedMessageError(ValueError):
    """The bytes are not a valid message. The text names fields, never values."""


class UnsupportedVersionError(MalformedMessageError):
    """The message is of another major version."""


def encode_request(request: QuoteRequest) -> bytes:
    return _to_bytes({"request_id": request.request_id, "symbols": list(request.symbols)})


def decode_request(body: bytes) -> QuoteRequest:
    """Read a request.

    :raises UnsupportedVersionError: the version is not `CONTRACT_VERSION`.
    :raises MalformedMessageError: it is not JSON, or a field is missing or wrong.
    """
    request: QuoteRequest = _load(_REQUEST, _from_bytes(body))
    return request


def encode_reply(reply: QuoteReply | Failure) -> bytes:
    """Write a reply; a bare `Failure` says that the request as a whole was not served."""
    if isinstance(reply, Failure):
        return _to_bytes({"failure": dump_failure(reply)})
    return _to_bytes({"results": [_dump_result(result) for result in reply.results]})


def decode_reply(body: bytes) -> QuoteReply | Failure:
    """Read a reply.

    :raises UnsupportedVersionError: the version is not `CONTRACT_VERSION`.
    :raises MalformedMessageError: it is not JSON, or a field is missing or wrong.
    """
    message = _from_bytes(body)
    if "failure" in message:
        return load_failure(message["failure"])
    results = message.get("results")
    if not isinstance(results, list):
        raise MalformedMessageError("results: missing or not a list")
    return QuoteReply(tuple(_load_result(result) for result in results))


def dump_quote(quote: Quote) -> dict[str, Any]:
    """The quote as a JSON object, prices as exact strings."""
    dumped: dict[str, Any] = _QUOTE.dump(quote)
    return dumped


def load_quote(data: object) -> Quote:
    """Read what `dump_quote` wrote.

    :raises MalformedMessageError: a field is missing or wrong.
    """
    quote: Quote = _load(_QUOTE, data)
    return quote


def dump_failure(failure: Failure) -> dict[str, Any]:
    """The failure as a JSON object."""
    dumped: dict[str, Any] = _FAILURE.dump(failure)
    return dumped


def load_failure(data: object) -> Failure:
    """Read what `dump_failure` wrote; an unknown code reads as `internal`.

    :raises MalformedMessageError: a field is missing or wrong.
    """
    failure: Failure = _load(_FAILURE, data)
    return failure


def _dump_result(result: Quote | Failure) -> dict[str, Any]:
    if isinstance(result, Failure):
        return {"failure": dump_failure(result)}
    return {"quote": dump_quote(result)}


def _load_result(data: object) -> Quote | Failure:
    if isinstance(data, Mapping) and "quote" in data:
        return load_quote(data["quote"])
    if isinstance(data, Mapping) and "failure" in data:
        return load_failure(data["failure"])
    raise MalformedMessageError("results: an entry is neither a quote nor a failure")


def _to_bytes(payload: dict[str, Any]) -> bytes:
    return json.dumps({"version": CONTRACT_VERSION, **payload}, separators=(",", ":")).encode()


def _from_bytes(body: bytes) -> Mapping[str, Any]:
    try:
        message = json.loads(body)
    except (
        ValueError,
        RecursionError,
    ):  # ValueError covers bad UTF-8; deep nesting ends the C parser's stack
        raise MalformedMessageError("not JSON") from None
    if not isinstance(message, dict):
        raise MalformedMessageError("not a JSON object")
    version = message.get("version")
    if version != CONTRACT_VERSION or isinstance(version, bool):  # to Python, True equals 1
        raise UnsupportedVersionError(f"version is not {CONTRACT_VERSION}")
    return message


def _load(schema: RequestSchema | QuoteSchema | FailureSchema, data: object) -> Any:
    if not isinstance(data, Mapping):
        raise MalformedMessageError("not a JSON object")
    try:
        return schema.load(data)
    except ValidationError as error:
        raise MalformedMessageError(f"wrong or missing: {', '.join(sorted(map(str, error.messages_dict)))}") from None
