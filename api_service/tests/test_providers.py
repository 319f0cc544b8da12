import json

import pytest

from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.tests.helpers import Api, ExpectProblem, Golden, ScriptedStockClient
from service_kit import time_budget
from stock_contract import ErrorCode, Failure, ProviderStatusReply, decode_provider_status_reply

PROVIDERS = "/api/v1/providers"


@pytest.fixture(autouse=True)
def _golden_state(golden: Golden, stock_client: ScriptedStockClient) -> None:
    reply = decode_provider_status_reply(golden("reply_provider_status"))
    assert isinstance(reply, ProviderStatusReply)
    stock_client.providers = reply.providers


def test_super_users_see_the_state_of_each_provider(api: Api, golden: Golden) -> None:
    response = api.get(PROVIDERS, by="admin")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_json() == json.loads(golden("reply_provider_status"))["providers"]
    assert list(response.get_json()[0]) == [
        "name", "enabled", "breaker", "retry_in", "last_success", "last_failure", "last_failure_kind",
        "successes", "failures", "failures_by_kind",
    ]  # fmt: skip
    assert response.headers["Cache-Control"] == "no-store"


def test_nobody_else_does_and_nobody_is_asked(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem
) -> None:
    expect_problem(api.get(PROVIDERS), 401, "token-missing")
    expect_problem(api.get(PROVIDERS, by="johndoe"), 403, "super-users-only")
    assert stock_client.calls == []


def test_the_stock_service_is_asked_with_the_request_id_and_the_whole_budget(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    response = api.get(PROVIDERS, by="admin")
    ((_, request_id, deadline),) = stock_client.calls
    assert request_id == response.headers["X-Request-ID"]
    assert time_budget.RPC_DEADLINE - 2 < deadline.remaining() <= time_budget.RPC_DEADLINE


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (StockServiceUnavailableError(UnavailableReason.BROKER), 503, "broker-unavailable"),
        (StockServiceUnavailableError(UnavailableReason.SERVER), 503, "stock-service-unavailable"),
        (StockServiceTimeoutError(), 504, "stock-service-timeout"),
        (StockServiceFailedError(Failure(ErrorCode.BAD_REQUEST)), 502, "stock-service-error"),
        (BadStockReplyError("x"), 502, "stock-service-bad-reply"),
    ],
    ids=str,
)
def test_no_answer_is_the_usual_problem(
    api: Api,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    error: Exception,
    status: int,
    slug: str,
) -> None:
    stock_client.answer = error
    expect_problem(api.get(PROVIDERS, by="admin"), status, slug)
