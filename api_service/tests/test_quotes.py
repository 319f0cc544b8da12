import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from api_service import users
from api_service.database import db, reading
from api_service.models import HistoryEntry, StockRequestCount
from api_service.stock_clients import (
    BadStockReplyError,
    StockServiceFailedError,
    StockServiceTimeoutError,
    StockServiceUnavailableError,
    UnavailableReason,
)
from api_service.tests.helpers import Api, ExpectProblem, HoldLock, ScriptedStockClient
from api_service.tests.test_stock import STATUS_OF_CODE
from service_kit import time_budget
from stock_contract import ErrorCode, Failure, Quote, is_valid_symbol

QUOTES = "/api/v1/quotes"
HISTORY = "/api/v1/users/history"
UNKNOWN = Failure(ErrorCode.SYMBOL_NOT_FOUND)
APPLE = (
    b'{"symbol":"AAPL.US","name":"APPLE","open":148.43,"high":150.4,"low":147.48,"close":149.99,'
    b'"volume":63804008,"currency":null,"source":"stooq","as_of":"2021-11-12T21:00:10Z",'
    b'"fetched_at":"2021-11-12T21:15:00Z","stale":false}'
)


def saved(app: Flask) -> list[tuple[int, str]]:
    with app.app_context(), reading() as connection:
        rows = connection.execute(select(HistoryEntry.position, HistoryEntry.symbol).order_by(HistoryEntry.id))
        return [(position, symbol) for position, symbol in rows]


def test_a_batch_is_literally_a_list_of_quotes_and_errors_in_order(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    stock_client.answers = {"nosuch.xx": UNKNOWN}
    response = api.get(QUOTES, by="johndoe", symbols="nosuch.xx,aapl.us")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_data() == (
        b'[{"symbol":"NOSUCH.XX","error":{"type":"/problems/symbol-not-found","title":"Unknown symbol"}},'
        + APPLE
        + b"]\n"
    )


def test_one_quote_is_literally_the_same_entry(api: Api) -> None:
    response = api.get(f"{QUOTES}/aapl.us", by="johndoe")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_data() == APPLE + b"\n"


def test_an_entry_tells_all_that_is_known(api: Api, stock_client: ScriptedStockClient, apple: Quote) -> None:
    stock_client.quote = replace(
        apple, volume=None, currency="USD", stale=True, as_of=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    )
    (entry,) = api.get(QUOTES, by="johndoe", symbols="aapl.us").get_json()
    assert (entry["volume"], entry["currency"], entry["stale"]) == (None, "USD", True)
    assert entry["as_of"] == "2026-01-02T03:04:05.678900Z"


@pytest.mark.parametrize("price", ["0.0001", "123", "999999999999", "1.10", "56789.123456789"])
def test_prices_are_json_numbers_with_the_same_digits(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, price: str
) -> None:
    exact = Decimal(price)
    stock_client.quote = replace(apple, open=exact, high=exact, low=exact, close=exact)
    (entry,) = json.loads(api.get(QUOTES, by="johndoe", symbols="x").get_data(), parse_float=Decimal)
    assert [entry[name] for name in ("open", "high", "low", "close")] == [exact] * 4


def test_the_whole_batch_is_one_call_with_the_request_id_and_the_budget(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    response = api.get(QUOTES, by="johndoe", symbols="aApL.us,^spx,b")
    ((symbols, request_id, deadline),) = stock_client.calls
    assert symbols == ("aApL.us", "^spx", "b")
    assert request_id == response.headers["X-Request-ID"]
    assert time_budget.RPC_DEADLINE - 2 < deadline.remaining() <= time_budget.RPC_DEADLINE


def test_fifty_with_ten_unknown_are_forty_rows_in_one_transaction_in_order(
    app: Flask, api: Api, stock_client: ScriptedStockClient
) -> None:
    symbols = [f"s{n}.us" for n in range(50)]
    unknown = set(symbols[::5])
    stock_client.answers = dict.fromkeys(unknown, UNKNOWN)
    writes: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: writes.append(args[2]))
    response = api.get(QUOTES, by="johndoe", symbols=",".join(symbols))
    entries = response.get_json()
    assert [entry["symbol"] for entry in entries] == [symbol.upper() for symbol in symbols]
    assert [symbol for symbol, entry in zip(symbols, entries, strict=True) if "error" in entry] == symbols[::5]
    assert saved(app) == [(n, symbol.upper()) for n, symbol in enumerate(symbols) if symbol not in unknown]
    assert writes.count("BEGIN IMMEDIATE") == 1
    assert len(stock_client.calls) == 1


def test_rows_of_a_batch_share_the_request_and_keep_what_was_served(
    app: Flask, api: Api, stock_client: ScriptedStockClient, apple: Quote
) -> None:
    stock_client.quote = replace(apple, currency="USD", source="yahoo", stale=True)
    stock_client.answers = {"b": UNKNOWN}
    response = api.get(QUOTES, by="johndoe", symbols="a,b,c")
    with app.app_context(), reading() as connection:
        rows = connection.execute(select(HistoryEntry.__table__)).mappings().all()
    assert [row["position"] for row in rows] == [0, 2]
    for row in rows:
        assert row["request_id"] == response.headers["X-Request-ID"]
        assert (row["currency"], row["volume"], row["source"]) == ("USD", 63804008, "yahoo")
        assert (row["as_of"], row["stale"]) == (datetime(2021, 11, 12, 21, 0, 10, tzinfo=UTC), True)
    assert len({row["requested_at"] for row in rows}) == 1


def test_a_batch_is_in_the_history_and_in_the_statistics(api: Api, stock_client: ScriptedStockClient) -> None:
    stock_client.answers = {"nosuch.xx": UNKNOWN}
    api.get(QUOTES, by="johndoe", symbols="a.us,nosuch.xx,b.us")
    api.get(f"{QUOTES}/b.us", by="johndoe")
    assert [entry["symbol"] for entry in api.get(HISTORY, by="johndoe").get_json()] == ["B.US", "B.US", "A.US"]
    assert api.get("/api/v1/stats", by="admin").get_json() == [
        {"stock": "b.us", "times_requested": 2},
        {"stock": "a.us", "times_requested": 1},
    ]


def test_a_symbol_that_stands_twice_is_answered_and_saved_twice(app: Flask, api: Api) -> None:
    entries = api.get(QUOTES, by="johndoe", symbols="a.us,b.us,A.US").get_json()
    assert [entry["symbol"] for entry in entries] == ["A.US", "B.US", "A.US"]
    assert saved(app) == [(0, "A.US"), (1, "B.US"), (2, "A.US")]


def test_nothing_found_is_still_an_answer_and_nothing_is_saved(
    api: Api, stock_client: ScriptedStockClient, locked_database: HoldLock
) -> None:
    stock_client.answer = Failure(ErrorCode.UPSTREAM_UNAVAILABLE, retry_after=15)
    with locked_database():  # it is not even asked for
        response = api.get(QUOTES, by="johndoe", symbols="a,b")
    error = {"type": "/problems/upstream-unavailable", "title": "No quote provider available"}
    assert (response.status_code, response.get_json()) == (
        200,
        [{"symbol": "A", "error": error}, {"symbol": "B", "error": error}],
    )
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_of_the_contract_has_its_error_and_its_problem(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, code: ErrorCode
) -> None:
    stock_client.answers = {"bad": Failure(code)}
    status, slug = STATUS_OF_CODE[code]
    problem = expect_problem(api.get(f"{QUOTES}/bad", by="johndoe"), status, slug)
    error, _ = api.get(QUOTES, by="johndoe", symbols="bad,good").get_json()
    assert error == {"symbol": "BAD", "error": {"type": problem["type"], "title": problem["title"]}}
    assert api.rows(HistoryEntry) == 1


@pytest.mark.parametrize("path", [f"{QUOTES}?symbols=a,b", f"{QUOTES}/a"])
@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (StockServiceUnavailableError(UnavailableReason.BROKER), 503, "broker-unavailable"),
        (StockServiceUnavailableError(UnavailableReason.SERVER), 503, "stock-service-unavailable"),
        (StockServiceTimeoutError(), 504, "stock-service-timeout"),
        (StockServiceFailedError(Failure(ErrorCode.INTERNAL)), 502, "stock-service-error"),
        (BadStockReplyError("sqlite amqp"), 502, "stock-service-bad-reply"),
    ],
    ids=str,
)
def test_no_answer_at_all_is_the_usual_problem(
    api: Api,
    stock_client: ScriptedStockClient,
    expect_problem: ExpectProblem,
    path: str,
    error: Exception,
    status: int,
    slug: str,
) -> None:
    stock_client.answer = error
    expect_problem(api.get(path, by="johndoe"), status, slug)
    assert api.rows(HistoryEntry) == 0


@pytest.mark.parametrize("path", [f"{QUOTES}?symbols=a,b,c", f"{QUOTES}/a"])
def test_a_save_that_fails_is_a_503_without_a_row(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem, path: str
) -> None:
    with locked_database():
        expect_problem(api.get(path, by="johndoe"), 503, "history-not-saved")
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0
    assert api.get(path, by="johndoe").status_code == 200


def test_a_save_that_fails_half_way_leaves_no_row_of_the_batch(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, apple: Quote
) -> None:
    stock_client.answers = {"c": replace(apple, symbol="C", source=None)}
    expect_problem(api.get(QUOTES, by="johndoe", symbols="a,b,c"), 503, "history-not-saved")
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "There is no list of symbols, or more than one."),
        ("?symbols=", "There is no list of symbols, or more than one."),
        ("?symbols=a&symbols=b", "There is no list of symbols, or more than one."),
        ("?Symbols=a", "There is no list of symbols, or more than one."),
        ("?symbols=" + ",".join(["a"] * 51), "51 symbols are too many for one call."),
        ("?symbols=a,b%20c,d", "Number 2 is not a symbol: 'b c'."),
        ("?symbols=a,", "Number 2 is not a symbol: ''."),
        ("?symbols=,", "Number 1 is not a symbol: ''."),
        ("?symbols=a,%20b", "Number 2 is not a symbol: ' b'."),
        ("?symbols=a;b", "Number 1 is not a symbol: 'a;b'."),
        ("?symbols=a,b%26f=x", "Number 2 is not a symbol: 'b&f=x'."),
        ("?symbols=a%00", "Number 1 is not a symbol: 'a\\x00'."),
        ("?symbols=%C3%A4", "Number 1 is not a symbol: '\\xe4'."),
        ("?symbols=a,%FF", "Number 2 is not a symbol: '%FF'."),
        ("?symbols=" + "a" * 21, f"Number 1 is not a symbol: '{'a' * 20}...'."),
    ],
)  # fmt: skip
def test_a_bad_list_is_refused_with_the_reason_and_nothing_is_sent_or_saved(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, query: str, told: str
) -> None:
    problem = expect_problem(api.get(QUOTES + query, by="johndoe"), 400, "invalid-symbols")
    assert problem["detail"].startswith(f"{told} Give symbols once, with 1 to 50 stock symbols")
    assert stock_client.calls == []
    assert api.rows(HistoryEntry) == 0


@pytest.mark.parametrize("code", ["a%20b", "a" * 21, ".a", "a,b", "a%00", "%FF", "%C3%A4", "%20"])
def test_a_bad_symbol_in_the_path_is_refused(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, code: str
) -> None:
    problem = expect_problem(api.get(f"{QUOTES}/{code}", by="johndoe"), 400, "invalid-symbol")
    assert "for example /quotes/aapl.us" in problem["detail"]
    assert stock_client.calls == []


def test_an_index_may_stand_in_the_path(api: Api) -> None:
    assert api.get(f"{QUOTES}/%5Espx", by="johndoe").get_json()["symbol"] == "^SPX"


LISTS = st.lists(st.from_regex(r"[A-Za-z0-9^][A-Za-z0-9.^_=-]{0,5}", fullmatch=True), min_size=1, max_size=6)
names = itertools.cycle(range(10**9))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(st.tuples(st.sampled_from(["first", "second"]), LISTS), max_size=6),
    unknown=st.sets(st.integers(0, 5)),
)
def test_each_user_has_exactly_what_they_were_served(
    app: Flask,
    api: Api,
    stock_client: ScriptedStockClient,
    calls: list[tuple[str, list[str]]],
    unknown: set[int],
) -> None:
    """Whatever two users ask for, in whatever order: nothing lost, nothing doubled, nothing of the other."""
    example = next(names)
    served: dict[str, list[str]] = {"first": [], "second": []}
    with app.app_context():
        for name in served:
            users.add_user(f"{name}{example}", "hash", users.Role.USER)
    for name, symbols in calls:
        assert all(map(is_valid_symbol, symbols))
        stock_client.answers = {symbols[n]: UNKNOWN for n in unknown if n < len(symbols)}
        entries = api.get(QUOTES, by=f"{name}{example}", symbols=",".join(symbols)).get_json()
        assert [entry["symbol"] for entry in entries] == [symbol.upper() for symbol in symbols]
        served[name] += [entry["symbol"] for entry in entries if "error" not in entry]
    for name, symbols in served.items():
        history = api.get(HISTORY, by=f"{name}{example}").get_json()
        assert [entry["symbol"] for entry in history] == symbols[::-1]
