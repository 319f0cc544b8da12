"""The contract against its golden messages, which the tests of both services read too."""

import json

import pytest

from stock_contract import (
    REQUEST_EXCHANGE,
    REQUEST_QUEUE,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    dump_provider_status,
    dump_quote,
    encode_provider_status_reply,
    encode_provider_status_request,
    encode_reply,
    encode_request,
    load_quote,
)
from tests.unit.contract.messages import APPLE, GOLDEN, REPLIES, REQUESTS, STATUS, STATUS_REPLY, STATUS_REQUEST, golden


def test_every_golden_message_is_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*REQUESTS, *REPLIES, *STATUS, "quote"}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_read_and_write_as_the_golden_messages(name: str) -> None:
    assert decode_request(golden(name)) == REQUESTS[name]
    assert json.loads(encode_request(REQUESTS[name])) == json.loads(golden(name))


@pytest.mark.parametrize("name", REPLIES)
def test_replies_read_and_write_as_the_golden_messages(name: str) -> None:
    assert decode_reply(golden(name)) == REPLIES[name]
    assert json.loads(encode_reply(REPLIES[name])) == json.loads(golden(name))


def test_a_quote_reads_and_writes_as_the_golden_message() -> None:
    assert load_quote(json.loads(golden("quote"))) == APPLE
    assert dump_quote(APPLE) == json.loads(golden("quote"))


def test_a_request_for_the_state_of_the_providers_reads_and_writes_as_the_golden_message() -> None:
    assert decode_request(golden("request_provider_status")) == STATUS_REQUEST
    assert json.loads(encode_provider_status_request(STATUS_REQUEST)) == json.loads(golden("request_provider_status"))


def test_the_state_of_the_providers_reads_and_writes_as_the_golden_message() -> None:
    message = json.loads(golden("reply_provider_status"))

    assert decode_provider_status_reply(golden("reply_provider_status")) == STATUS_REPLY
    assert json.loads(encode_provider_status_reply(STATUS_REPLY)) == message
    assert [dump_provider_status(status) for status in STATUS_REPLY.providers] == message["providers"]


def test_a_request_for_the_state_of_the_providers_can_fail_as_a_whole() -> None:
    failure = REPLIES["reply_unsupported_version"]

    assert decode_provider_status_reply(golden("reply_unsupported_version")) == failure
    assert json.loads(encode_provider_status_reply(failure)) == json.loads(golden("reply_unsupported_version"))


def test_the_version_is_in_the_queue_name_and_in_every_message() -> None:
    assert REQUEST_QUEUE == "stock.quotes.v1"
    assert REQUEST_EXCHANGE == "stock.rpc"
    messages = [json.loads(golden(name)) for name in (*REQUESTS, *REPLIES, *STATUS)]
    assert {message["version"] for message in messages} == {1}
