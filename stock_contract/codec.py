"""Messages to bytes and back. Every decoder raises `MalformedMessageError` for anything that it cannot read."""

import json
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError

from stock_contract.messages import (
    CONTRACT_VERSION,
    Failure,
    ProviderStatus,
    ProviderStatusReply,
    ProviderStatusRequest,
    Quote,
    QuoteReply,
    QuoteRequest,
)
from stock_contract.quick import read_quote, read_request, write_quote
from stock_contract.schemas import (
    FailureSchema,
    ProviderStatusRequestSchema,
    ProviderStatusSchema,
    QuoteSchema,
    RequestSchema,
)

_PROVIDER_STATUS_ASK: Final = "provider_status"
"""The value of `ask` that tells a request for the state of the providers from one for quotes, which has no `ask`."""

_REQUEST: Final = RequestSchema()
_STATUS_REQUEST: Final = ProviderStatusRequestSchema()
_STATUS: Final = ProviderStatusSchema()
_QUOTE: Final = QuoteSchema()
_FAILURE: Final = FailureSchema()


class MalformedMessageError(ValueError):
    """The bytes are not a valid message. The text names fields, never values."""


class UnsupportedVersionError(MalformedMessageError):
    """The message is of another major version."""


def encode_request(request: QuoteRequest) -> bytes:
    return _to_bytes({"request_id": request.request_id, "symbols": list(request.symbols)})


def encode_provider_status_request(request: ProviderStatusRequest) -> bytes:
    return _to_bytes({"request_id": request.request_id, "ask": _PROVIDER_STATUS_ASK})


def decode_request(body: bytes) -> QuoteRequest | ProviderStatusRequest:
    """Read a request of either kind.

    :raises UnsupportedVersionError: the version is not `CONTRACT_VERSION`.
    :raises MalformedMessageError: it is not JSON, asks for something else, or a field is missing or wrong.
    """
    message = _from_bytes(body)
    if message.get("ask") not in (None, _PROVIDER_STATUS_ASK):
        raise MalformedMessageError("ask: unknown")
    if not message.get("ask") and (quick := read_request(message)):
        return quick
    request: QuoteRequest | ProviderStatusRequest = _load(_STATUS_REQUEST if message.get("ask") else _REQUEST, message)
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
    return QuoteReply(tuple(_load_result(result) for result in _list_of(message, "results")))


def encode_provider_status_reply(reply: ProviderStatusReply | Failure) -> bytes:
    """Write a reply; a `Failure` says that the request was not served."""
    if isinstance(reply, Failure):
        return _to_bytes({"failure": dump_failure(reply)})
    return _to_bytes({"providers": [dump_provider_status(status) for status in reply.providers]})


def decode_provider_status_reply(body: bytes) -> ProviderStatusReply | Failure:
    """Read a reply. A worker that does not know the request yet answers with `bad_request`.

    :raises UnsupportedVersionError: the version is not `CONTRACT_VERSION`.
    :raises MalformedMessageError: it is not JSON, or a field is missing or wrong.
    """
    message = _from_bytes(body)
    if "failure" in message:
        return load_failure(message["failure"])
    return ProviderStatusReply(tuple(load_provider_status(status) for status in _list_of(message, "providers")))


def dump_quote(quote: Quote) -> dict[str, Any]:
    """The quote as a JSON object, prices as exact strings."""
    return write_quote(quote)


def load_quote(data: object) -> Quote:
    """Read what `dump_quote` wrote.

    :raises MalformedMessageError: a field is missing or wrong.
    """
    if isinstance(data, Mapping) and (quick := read_quote(data)):
        return quick
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


def dump_provider_status(status: ProviderStatus) -> dict[str, Any]:
    """The state of a provider as a JSON object."""
    dumped: dict[str, Any] = _STATUS.dump(status)
    return dumped


def load_provider_status(data: object) -> ProviderStatus:
    """Read what `dump_provider_status` wrote.

    :raises MalformedMessageError: a field is missing or wrong.
    """
    status: ProviderStatus = _load(_STATUS, data)
    return status


def _list_of(message: Mapping[str, Any], field: str) -> list[Any]:
    entries = message.get(field)
    if not isinstance(entries, list):
        raise MalformedMessageError(f"{field}: missing or not a list")
    return entries


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


def _load(schema: Schema, data: object) -> Any:
    if not isinstance(data, Mapping):
        raise MalformedMessageError("not a JSON object")
    try:
        return schema.load(data)
    except ValidationError as error:
        raise MalformedMessageError(f"wrong or missing: {', '.join(sorted(map(str, error.messages_dict)))}") from None
