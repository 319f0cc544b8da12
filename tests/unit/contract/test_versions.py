"""Messages of older and newer senders."""

import json

import pytest

from stock_contract import (
    ErrorCode,
    Failure,
    UnsupportedVersionError,
    decode_reply,
    decode_request,
    load_failure,
    load_quote,
)
from tests.unit.contract.messages import APPLE, REPLIES, REQUESTS, changed, golden, quote_with


def test_a_quote_of_an_older_worker_reads_without_the_newer_fields() -> None:
    older = {name: value for name, value in json.loads(golden("quote")).items() if name != "fresh_until"}
    assert load_quote(older) == APPLE


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
