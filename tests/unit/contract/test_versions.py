"""Messages of older and newer senders."""

import json

import pytest

from stock_contract import (
    ErrorCode,
    Failure,
    UnsupportedVersionError,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    load_failure,
    load_quote,
)
from tests.unit.contract.messages import (
    APPLE,
    GOLDEN,
    REPLIES,
    REQUESTS,
    STATUS_REPLY,
    changed,
    golden,
    previous,
    quote_with,
)


def test_every_message_is_kept_as_the_version_before_wrote_it() -> None:
    assert {path.name for path in (GOLDEN / "previous").iterdir()} == {path.name for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("name", [*REQUESTS, "request_provider_status"])
def test_a_request_of_the_version_before_says_the_same(name: str) -> None:
    assert decode_request(previous(name)) == decode_request(golden(name))


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_of_the_version_before_says_the_same(name: str) -> None:
    assert decode_reply(previous(name)) == decode_reply(golden(name))


def test_the_state_of_the_providers_in_the_version_before_says_the_same() -> None:
    assert decode_provider_status_reply(previous("reply_provider_status")) == STATUS_REPLY


def test_a_quote_of_the_version_before_has_no_newer_field() -> None:
    assert load_quote(json.loads(previous("quote"))) == APPLE


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
