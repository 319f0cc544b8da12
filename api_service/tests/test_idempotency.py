import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import event, insert, select
from werkzeug.test import TestResponse

from api_service import idempotency
from api_service.database import db, reading, writing
from api_service.models import HistoryEntry, IdempotentAnswer, StockRequestCount
from api_service.stock_clients import StockServiceTimeoutError
from api_service.tests.helpers import Api, ExpectProblem, HoldLock, ScriptedStockClient
from stock_contract import ErrorCode, Failure, Quote

STOCK = "/api/v1/stock"
QUOTES = "/api/v1/quotes"
UNKNOWN = Failure(ErrorCode.SYMBOL_NOT_FOUND)


def ask(api: Api, path: str, key: str | None, *, by: str = "johndoe", **query: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {api.token_of(by)}"} | ({"Idempotency-Key": key} if key is not None else {})
    return api.app.test_client().get(path, headers=headers, query_string=query or None)


def is_replay(response: TestResponse) -> bool:
    return "Idempotent-Replayed" in response.headers


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """What the driver is asked to do from here on."""
    seen: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    return seen


@pytest.mark.parametrize(
    ("path", "query"), [(STOCK, {"q": "aapl.us"}), (f"{QUOTES}/aapl.us", {}), (QUOTES, {"symbols": "aapl.us,msft.us"})]
)
def test_a_repeated_call_gets_the_first_answer_and_leaves_no_second_row(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, path: str, query: dict[str, str]
) -> None:
    first = ask(api, path, "k1", **query)
    stock_client.quote = replace(apple, close=Decimal("1.5"))
    second = ask(api, path, "k1", **query)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.get_data() == second.get_data()
    assert not is_replay(first)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert len(stock_client.calls) == 1
    assert api.rows(HistoryEntry) == first.text.count('"symbol"')


def test_without_the_header_each_call_is_a_call_of_its_own(api: Api, statements: list[str]) -> None:
    for _ in range(2):
        assert not is_replay(ask(api, STOCK, None, q="aapl.us"))
    assert api.rows(HistoryEntry) == 2
    assert not [statement for statement in statements if "idempotent" in statement]


def test_the_headers_of_a_replay_tell_the_present_age(
    api: Api, stock_client: ScriptedStockClient, apple: Quote
) -> None:
    now = datetime.now(UTC)
    stock_client.quote = replace(apple, fetched_at=now, fresh_until=now + timedelta(seconds=60))
    assert ask(api, STOCK, "k1", q="aapl.us").headers["Age"] == "0"
    with api.app.app_context(), writing() as connection:
        kept = connection.scalar(select(IdempotentAnswer.reply)) or ""
        fetched = f"{now:%Y-%m-%dT%H:%M:%S}"
        assert fetched in kept
        older = kept.replace(fetched, f"{now - timedelta(seconds=20):%Y-%m-%dT%H:%M:%S}", 1)
        connection.execute(IdempotentAnswer.__table__.update().values(reply=older))
    replay = ask(api, STOCK, "k1", q="aapl.us")
    assert is_replay(replay)
    assert 20 <= int(replay.headers["Age"]) < 25
    assert replay.headers["Quote-Source"] == "stooq"


def test_case_makes_no_other_call_because_it_makes_no_other_answer(
    api: Api, stock_client: ScriptedStockClient
) -> None:
    stock_client.answers = dict.fromkeys(("nosuch.xx", "NOSUCH.XX"), UNKNOWN)
    codes = ("aapl.us,nosuch.xx", "AAPL.US,NOSUCH.XX")
    lower, upper = (ask(api, QUOTES, None, symbols=symbols).get_data() for symbols in codes)
    assert lower == upper
    assert [is_replay(ask(api, QUOTES, "k1", symbols=symbols)) for symbols in codes] == [False, True]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (STOCK, {"q": "msft.us"}),
        (QUOTES, {"symbols": "aapl.us"}),
        (f"{QUOTES}/aapl.us", {}),
        (QUOTES, {"symbols": "aapl.us,aapl.us"}),
    ],
    ids=["other symbol", "list", "full quote", "list with more"],
)
def test_a_key_that_was_used_for_another_call_is_a_409(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, path: str, query: dict[str, str]
) -> None:
    assert ask(api, STOCK, "k1", q="aapl.us").status_code == 200
    expect_problem(ask(api, path, "k1", **query), 409, "idempotency-key-reused")
    assert len(stock_client.calls) == 1
    assert api.rows(HistoryEntry) == 1
    assert ask(api, path, "k2", **query).status_code == 200


def test_keys_of_two_users_do_not_meet(api: Api) -> None:
    for user, code in (("johndoe", "johns"), ("jane", "janes")):
        assert not is_replay(ask(api, STOCK, "same", by=user, q=code))
    for user, code in (("johndoe", "JOHNS"), ("jane", "JANES")):
        replay = ask(api, STOCK, "same", by=user, q=code)
        assert is_replay(replay)
        assert replay.get_json()["symbol"] == code
    assert api.rows(HistoryEntry) == 2


@pytest.mark.parametrize("key", ["", " ", "a b", "a,b", '"a", "b"', "a" * 256, "kø", "a\tb", "\x7f"])
def test_a_key_is_1_to_255_visible_ascii_characters(
    api: Api, stock_client: ScriptedStockClient, expect_problem: ExpectProblem, key: str
) -> None:
    for path, query in ((STOCK, {"q": "a"}), (f"{QUOTES}/a", {}), (QUOTES, {"symbols": "a"})):
        expect_problem(ask(api, path, key, **query), 400, "invalid-idempotency-key")
    assert stock_client.calls == []


@pytest.mark.parametrize("key", ["a", "!", "~", "+-", "a" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_such_a_key_is_taken(api: Api, key: str) -> None:
    assert [is_replay(ask(api, STOCK, key, q="aapl.us")) for _ in range(2)] == [False, True]


def test_a_key_that_is_sent_twice_is_a_400(api: Api, expect_problem: ExpectProblem) -> None:
    twice = [
        ("Authorization", f"Bearer {api.token_of('johndoe')}"),
        ("Idempotency-Key", "k1"),
        ("Idempotency-Key", "k1"),
    ]
    expect_problem(api.client.get(f"{STOCK}?q=a", headers=twice), 400, "invalid-idempotency-key")


def test_a_batch_is_replayed_with_the_failures_in_it(api: Api, stock_client: ScriptedStockClient, app: Flask) -> None:
    stock_client.answers = {"nosuch.xx": UNKNOWN, "late.us": Failure(ErrorCode.UPSTREAM_TIMEOUT)}
    first = ask(api, QUOTES, "k1", symbols="nosuch.xx,aapl.us,late.us")
    stock_client.answers = {}
    second = ask(api, QUOTES, "k1", symbols="nosuch.xx,aapl.us,late.us")
    assert is_replay(second)
    assert first.get_data() == second.get_data()
    assert api.rows(HistoryEntry) == 1


def test_a_batch_without_any_quote_is_an_answer_too(api: Api, stock_client: ScriptedStockClient) -> None:
    stock_client.answer = UNKNOWN
    assert ask(api, QUOTES, "k1", symbols="a,b").status_code == 200
    assert is_replay(ask(api, QUOTES, "k1", symbols="a,b"))
    assert api.rows(HistoryEntry) == 0


@pytest.mark.parametrize("answer", [UNKNOWN, StockServiceTimeoutError("late")], ids=["no quote", "no answer"])
def test_a_call_that_failed_may_be_repeated_as_new(
    api: Api, stock_client: ScriptedStockClient, answer: Failure | Exception
) -> None:
    stock_client.answer = answer
    assert ask(api, STOCK, "k1", q="aapl.us").status_code in {404, 504}
    assert api.rows(IdempotentAnswer) == 0
    stock_client.answer = None
    assert not is_replay(ask(api, STOCK, "k1", q="aapl.us"))
    assert api.rows(HistoryEntry) == 1


def test_a_call_that_could_not_be_saved_leaves_its_key_free(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    with locked_database():
        expect_problem(ask(api, STOCK, "k1", q="aapl.us"), 503, "history-not-saved")
    assert api.rows(IdempotentAnswer) == 0
    response = ask(api, STOCK, "k1", q="msft.us")
    assert response.status_code == 200
    assert not is_replay(response)


def test_two_calls_at_once_with_one_key_get_one_answer_and_one_row(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the key free and both have a quote, each another one, before either of them saves."""
    callers = 4
    both, prices = threading.Barrier(callers, timeout=10), iter(range(1, callers + 1))

    def quotes(symbols: object, **_: object) -> tuple[Quote]:
        both.wait()
        return (replace(apple, close=Decimal(next(prices))),)

    monkeypatch.setattr(stock_client, "quotes", quotes)
    for turn in range(5):
        prices = iter(range(1, callers + 1))
        with ThreadPoolExecutor(callers) as pool:
            answers = list(pool.map(lambda key: ask(api, STOCK, key, q="aapl.us"), [f"k{turn}"] * callers))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.get_data() for answer in answers}) == 1
        assert sum(map(is_replay, answers)) == callers - 1
        assert api.rows(HistoryEntry) == api.rows(IdempotentAnswer) == turn + 1


def test_of_two_other_calls_at_once_with_one_key_one_is_a_409(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=10)

    def quotes(symbols: list[str], **_: object) -> tuple[Quote]:
        both.wait()
        return (replace(apple, symbol=symbols[0].upper()),)

    monkeypatch.setattr(stock_client, "quotes", quotes)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda code: ask(api, STOCK, "k1", q=code), ["aapl.us", "msft.us"]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 1


def age(app: Flask, by: timedelta) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(IdempotentAnswer.__table__.update().values(answered_at=datetime.now(UTC) - by))


def test_a_key_is_remembered_for_24_hours_and_then_free_again(app: Flask, api: Api) -> None:
    ask(api, STOCK, "k1", q="aapl.us")
    age(app, idempotency.LIFETIME - timedelta(minutes=1))
    assert is_replay(ask(api, STOCK, "k1", q="aapl.us"))
    age(app, idempotency.LIFETIME + timedelta(seconds=1))
    anew = ask(api, STOCK, "k1", q="msft.us")
    assert anew.status_code == 200
    assert not is_replay(anew)
    assert is_replay(ask(api, STOCK, "k1", q="msft.us"))
    assert api.rows(IdempotentAnswer) == 1
    assert api.rows(HistoryEntry) == 2


def test_what_is_out_of_date_is_forgotten_a_little_with_each_new_key(app: Flask, api: Api) -> None:
    old = datetime.now(UTC) - idempotency.LIFETIME - timedelta(minutes=1)
    rows = [
        {"user_id": 1, "key": f"old{n}", "fingerprint": "", "request_id": "", "answered_at": old, "reply": ""}
        for n in range(50)
    ]
    with app.app_context(), writing() as connection:
        connection.execute(insert(IdempotentAnswer), rows)
    kept = []
    for turn in range(4):
        ask(api, STOCK, f"new{turn}", q="aapl.us")
        kept.append(api.rows(IdempotentAnswer))
    assert kept == [31, 12, 3, 4]
    with app.app_context(), reading() as connection:
        assert set(connection.scalars(select(IdempotentAnswer.key))) == {"new0", "new1", "new2", "new3"}


def test_a_repeated_call_costs_one_look_and_a_new_one_one_more_and_its_claim(api: Api, statements: list[str]) -> None:
    def of_idempotency() -> list[str]:
        return [statement.split()[0] for statement in statements if "idempotent_answers" in statement]

    ask(api, STOCK, "k1", q="aapl.us")
    assert of_idempotency() == ["SELECT", "INSERT", "DELETE"]
    statements.clear()
    ask(api, STOCK, "k1", q="aapl.us")
    assert of_idempotency() == ["SELECT"]
    assert "BEGIN IMMEDIATE" not in statements


def test_the_key_is_not_in_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    for code in ("aapl.us", "aapl.us", "msft.us"):
        ask(api, STOCK, "canary-key", q=code)
    assert "canary-key" not in f"{caplog.text} {[vars(record) for record in caplog.records]}"
