"""The RabbitMQ door against the golden messages of the contract."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Never

import pytest

from amqp_rpc import Request
from service_kit.deadline import Deadline
from service_kit.request_ids import current_request_id
from stock_contract import ErrorCode, Failure, ProviderStatus, Quote, decode_provider_status_reply
from stock_service.rpc_handler import RpcHandler

DEADLINE = Deadline.after(6)


def request_of(body: bytes) -> Request:
    return Request(body=body, headers={}, deadline=DEADLINE, correlation_id="c1", redelivered=False)


class FakeLookup:
    """Looks up with a function."""

    def __init__(self, find: Callable[[Sequence[str], Deadline], tuple[Quote | Failure, ...]]) -> None:
        self._find = find

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        return self._find(symbols, deadline)

    def status(self) -> tuple[ProviderStatus, ...]:
        return (ProviderStatus("stooq", enabled=True), ProviderStatus("yahoo", enabled=False))


def _refuse(_symbols: Sequence[str], _deadline: Deadline) -> Never:
    raise AssertionError("looked up")


REFUSE_TO_LOOK_UP = FakeLookup(_refuse)


def test_a_request_for_the_state_of_the_providers_is_answered(golden: Callable[[str], bytes]) -> None:
    reply = RpcHandler(REFUSE_TO_LOOK_UP).handle(request_of(golden("request_provider_status.json")))

    assert decode_provider_status_reply(reply).providers == REFUSE_TO_LOOK_UP.status()


def test_the_golden_request_gets_the_golden_reply(golden: Callable[[str], bytes], quote: Quote) -> None:
    seen = []

    def lookup(symbols: Sequence[str], deadline: Deadline) -> tuple[Quote]:
        seen.append((symbols, deadline, current_request_id()))
        return (quote,)

    reply = RpcHandler(FakeLookup(lookup)).handle(request_of(golden("request.json")))

    assert json.loads(reply) == json.loads(golden("reply_quote.json"))
    assert seen == [(("aapl.us",), DEADLINE, "0f8fad5bd9cb469fa16570867728950e")]
    assert current_request_id() is None


def test_a_batch_gets_its_results_in_order(golden: Callable[[str], bytes], quote: Quote) -> None:
    results = (quote, Failure(ErrorCode.SYMBOL_NOT_FOUND), Failure(ErrorCode.UPSTREAM_QUOTA, 3600))

    reply = RpcHandler(FakeLookup(lambda _symbols, _deadline: results)).handle(
        request_of(golden("request_batch.json"))
    )

    assert json.loads(reply) == json.loads(golden("reply_batch.json"))


def test_another_version_is_answered(golden: Callable[[str], bytes]) -> None:
    body = golden("request.json").replace(b'"version": 1', b'"version": 2')

    reply = RpcHandler(REFUSE_TO_LOOK_UP).handle(request_of(body))

    assert json.loads(reply) == json.loads(golden("reply_unsupported_version.json"))


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"version": 1, "request_id": "a", "symbols": []}',
        b'{"version": 1, "request_id": "a", "symbols": ["../etc"]}',
        b'{"version": 1, "request_id": "a", "symbols": "aapl.us"}',
    ],
)
def test_a_malformed_request_is_answered_and_logged_without_its_body(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    reply = json.loads(RpcHandler(REFUSE_TO_LOOK_UP).handle(request_of(body)))

    assert reply["failure"]["code"] == "bad_request"
    (record,) = caplog.records
    assert (record.getMessage(), record.correlation_id) == ("worker.bad_request", "c1")
    assert "etc" not in str(record.__dict__)


def test_a_defect_is_left_to_the_rpc_server(golden: Callable[[str], bytes]) -> None:
    with pytest.raises(AssertionError, match="looked up"):
        RpcHandler(REFUSE_TO_LOOK_UP).handle(request_of(golden("request.json")))
    assert current_request_id() is None
