import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from api_service.models import HistoryEntry, StockRequestCount
from api_service.resources import failures
from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.tests.helpers import Api, ExpectProblem, HoldLock, ScriptedStockClient
from service_kit import time_budget
from stock_contract import ErrorCode, Failure, Quote

STOCK = "/api/v1/stock"


def test_a_quote_has_exactly_the_three_keys_of_the_contract(
    api: Api, stock_client: ScriptedStockClient, apple: Quote
) -> None:
    stock_client.quote = replace(apple, close=Decimal("123.45"))
    response = api.get(STOCK, by="johndoe", q="aapl.us")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_data() == b'{"symbol":"AAPL.US","company_name":"APPLE","quote":123.45}\n'


def test_a_quote_says_where_it_comes_from_and_how_old_it_is(api: Api) -> None:
    response = api.get(STOCK, by="johndoe", q="aapl.us")
    assert response.headers["Quote-Source"] == "stooq"
    assert response.headers["Quote-As-Of"] == "2021-11-12T21:00:10Z"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("close", ["0.0001", "123", "999999999999", "1.10", "417.3", "56789.123456789"])
def test_a_price_is_a_json_number_with_the_same_digits(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, close: str
) -> None:
    stock_client.quote = replace(apple, close=Decimal(close))
    body = json.loads(api.get(STOCK, by="johndoe", q="aapl.us").get_data(), parse_float=Decimal)
    assert body["quote"] == Decimal(close)


def test_the_stock_service_is_asked_once_with_the_request_id_and_the_whole_budget(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    response = api.get(STOCK, by="johndoe", q="aApL.us")
    ((symbols, request_id, deadline),) = stock_client.calls
    assert symbols == ("aApL.us",)
    assert request_id == response.headers["X-Request-ID"]
    assert time_budget.RPC_DEADLINE - 2 < deadline.remaining() <= time_budget.RPC_DEADLINE


@pytest.mark.parametrize(
    "query",
    ["", "?q=", "?q=" + "a" * 21, "?q=a%20b", "?q=a/b", "?q=.a", "?q=a%00", "?q=%FF", "?q=a%0A", "?q=%C3%A4",
     "?q=a&q=a", "?q=a&q=b", "?Q=a", "?q=a%26f=x", "?q=a%23"],
)  # fmt: skip
def test_a_bad_symbol_is_refused_and_nothing_is_sent_or_saved(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, query: str
) -> None:
    expect_problem(api.get(STOCK + query, by="johndoe"), 400, "invalid-symbol")
    assert stock_client.calls == []
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0


def test_an_unknown_symbol_is_not_found_and_nothing_is_saved(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem
) -> None:
    stock_client.answer = Failure(ErrorCode.SYMBOL_NOT_FOUND)
    expect_problem(api.get(STOCK, by="johndoe", q="nosuch.us"), 404, "symbol-not-found")
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0


STATUS_OF_CODE = {
    ErrorCode.SYMBOL_NOT_FOUND: (404, "symbol-not-found"),
    ErrorCode.UPSTREAM_TIMEOUT: (504, "upstream-timeout"),
    ErrorCode.UPSTREAM_ERROR: (502, "upstream-error"),
    ErrorCode.UPSTREAM_BAD_DATA: (502, "upstream-bad-data"),
    ErrorCode.UPSTREAM_QUOTA: (503, "upstream-quota"),
    ErrorCode.UPSTREAM_UNAVAILABLE: (503, "upstream-unavailable"),
    ErrorCode.UNSUPPORTED_VERSION: (502, "stock-service-incompatible"),
    ErrorCode.BAD_REQUEST: (502, "stock-service-error"),
    ErrorCode.INTERNAL: (502, "stock-service-error"),
}
STATUS_OF_ERROR = [
    (StockServiceUnavailableError(UnavailableReason.BROKER), 503, "broker-unavailable"),
    (StockServiceUnavailableError(UnavailableReason.SERVER), 503, "stock-service-unavailable"),
    (StockServiceUnavailableError(UnavailableReason.OVERLOADED), 503, "overloaded"),
    (StockServiceTimeoutError(), 504, "stock-service-timeout"),
    (StockServiceFailedError(Failure(ErrorCode.UNSUPPORTED_VERSION)), 502, "stock-service-incompatible"),
    (StockServiceFailedError(Failure(ErrorCode.INTERNAL)), 502, "stock-service-error"),
    (BadStockReplyError("sqlite amqp"), 502, "stock-service-bad-reply"),
]


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_of_the_contract_has_its_answer(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, code: ErrorCode
) -> None:
    stock_client.answer = Failure(code)
    status, slug = STATUS_OF_CODE[code]
    expect_problem(api.get(STOCK, by="johndoe", q="aapl.us"), status, slug)
    assert api.rows(HistoryEntry) == 0


@pytest.mark.parametrize(("error", "status", "slug"), STATUS_OF_ERROR, ids=str)
def test_every_trouble_on_the_way_has_its_answer(
    api: Api,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    error: Exception,
    status: int,
    slug: str,
) -> None:
    stock_client.answer = error
    expect_problem(api.get(STOCK, by="johndoe", q="aapl.us"), status, slug)
    assert api.rows(HistoryEntry) == 0


def test_the_tables_cover_every_code_and_reason() -> None:
    assert set(failures.BY_CODE) == set(ErrorCode)
    assert set(failures.BY_REASON) == set(UnavailableReason)


@pytest.mark.parametrize(("told", "sent"), [(3600, "3600"), (0, "0"), (None, "60")])
def test_retry_after_is_what_the_provider_says_or_a_default(
    api: Api, stock_client: ScriptedStockClient, told: int | None, sent: str
) -> None:
    stock_client.answer = Failure(ErrorCode.UPSTREAM_QUOTA, retry_after=told)
    assert api.get(STOCK, by="johndoe", q="aapl.us").headers["Retry-After"] == sent


def test_history_login_and_stats_answer_while_the_stock_service_is_away(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    stock_client.answer = StockServiceUnavailableError(UnavailableReason.BROKER)
    assert api.get(STOCK, by="johndoe", q="aapl.us").status_code == 503
    assert api.log_in("johndoe", "john").status_code == 200
    assert api.get("/api/v1/users/history", by="johndoe").get_json() == []
    assert api.get("/api/v1/stats", by="admin").get_json() == []


def test_a_locked_database_at_the_save_is_a_503_without_a_row(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    with locked_database():
        expect_problem(api.get(STOCK, by="johndoe", q="aapl.us"), 503, "history-not-saved")
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0
    assert api.get(STOCK, by="johndoe", q="aapl.us").status_code == 200
    assert api.rows(HistoryEntry) == 1


def test_a_quote_that_is_answered_is_committed(api: Api, database_path: Path) -> None:
    assert api.get(STOCK, by="johndoe", q="aapl.us").status_code == 200
    with closing(sqlite3.connect(database_path)) as other_connection:
        rows = other_connection.execute("SELECT symbol, close, volume, source, as_of, stale FROM history").fetchall()
    assert rows == [("AAPL.US", "149.99", 63804008, "stooq", "2021-11-12 21:00:10.000000", 0)]


def test_as_of_is_given_in_utc(api: Api, stock_client: ScriptedStockClient, apple: Quote) -> None:
    moment = datetime(2026, 7, 1, 10, 0, 0, tzinfo=timezone(timedelta(hours=2))).astimezone(UTC)
    stock_client.quote = replace(apple, as_of=moment)
    assert api.get(STOCK, by="johndoe", q="aapl.us").headers["Quote-As-Of"] == "2026-07-01T08:00:00Z"


def test_a_defect_is_a_500_without_internals(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    stock_client.answer = RuntimeError("sqlite:///secret Traceback")
    expect_problem(api.get(STOCK, by="johndoe", q="aapl.us"), 500, "internal-server-error")
    assert "http.unexpected_error" in caplog.messages
