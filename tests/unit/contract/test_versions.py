"""Messages of older and newer senders."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stock_contract import (
    ErrorCode,
    Failure,
    UnsupportedVersionError,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    dump_quote,
    encode_provider_status_reply,
    encode_provider_status_request,
    encode_reply,
    encode_request,
    load_failure,
    load_quote,
)
from tests.unit.contract.messages import APPLE, GOLDEN, REPLIES, REQUESTS, changed, previous, quote_with

PREVIOUS = sorted(path.stem for path in (GOLDEN / "previous").iterdir())
READ_AND_WRITTEN: dict[str, Callable[[bytes], object]] = {
    "request": lambda message: json.loads(encode_request(decode_request(message))),
    "reply": lambda message: json.loads(encode_reply(decode_reply(message))),
    "quote": lambda message: dump_quote(load_quote(json.loads(message))),
    "request_provider_status": lambda message: json.loads(encode_provider_status_request(decode_request(message))),
    "reply_provider_status": lambda message: json.loads(
        encode_provider_status_reply(decode_provider_status_reply(message))
    ),
}
"""By the name of the message, or the first word of it."""


def has(whole: Any, part: Any) -> bool:
    """Whether all of `part` stands in `whole`; objects of `whole` may have more fields."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and has(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(has, whole, part))
    return bool(whole == part)


def test_the_version_before_had_messages() -> None:
    assert set(PREVIOUS) <= {path.stem for path in GOLDEN.glob("*.json")}
    assert {name.partition("_")[0] for name in PREVIOUS} == {"request", "reply", "quote"}


@pytest.mark.parametrize("name", PREVIOUS)
def test_a_message_of_the_version_before_is_read_with_all_that_it_says(name: str) -> None:
    read_and_written = READ_AND_WRITTEN.get(name) or READ_AND_WRITTEN[name.partition("_")[0]]
    assert has(read_and_written(previous(name)), json.loads(previous(name)))


def test_readers_ignore_unknown_fields() -> None:
    assert decode_request(changed("request", colour="blue")) == REQUESTS["request"]
    assert decode_reply(changed("reply_not_found", colour="blue")) == REPLIES["reply_not_found"]
    assert load_quote(quote_with(colour="blue")) == APPLE


@pytest.mark.parametrize("version", [0, 2, 99, True, "1", None, 1.5, [1]])
def test_another_version_is_told_apart_from_garbage(version: object) -> None:
    with pytest.raises(UnsupportedVersionError):
        decode_request(changed("request", version=version))
    with pytest.raises(UnsupportedVersionError):
        decode_reply(changed("reply_quote", version=version))


def test_an_error_code_of_a_newer_sender_stays_an_error() -> None:
    assert load_failure({"code": "invented_later"}) == Failure(ErrorCode.INTERNAL)
