import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import event, select

from api_service import history, users
from api_service.database import DatabaseUnavailableError, db, reading
from api_service.models import HistoryEntry, StockRequestCount
from api_service.tests.helpers import Action, Api, ExpectProblem
from stock_contract import ErrorCode, Failure, Quote

HISTORY = "/api/v1/users/history"
KEYS = ("date", "name", "symbol", "open", "high", "low", "close")
ASKED = datetime(2021, 4, 1, 19, 20, 30, 987654, tzinfo=UTC)


@pytest.fixture
def user_id(app: Flask) -> int:
    with app.app_context():
        return users.find_credentials("johndoe").user_id


@pytest.fixture
def save(app: Flask, user_id: int) -> Action:
    def save(request_id: str, *results: Quote | Failure, by: int = user_id, at: datetime = ASKED) -> None:
        with app.app_context():
            history.save_quotes(by, request_id, at, results)

    return save


def test_an_entry_is_literally_that_of_the_contract(api: Api, save: Action, apple: Quote) -> None:
    prices = {"open": Decimal("123.66"), "high": Decimal("123.66"), "low": Decimal("122.49"), "close": Decimal(123)}
    save("1", replace(apple, **prices))
    response = api.get(HISTORY, by="johndoe")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_data() == (
        b'[{"date":"2021-04-01T19:20:30Z","name":"APPLE","symbol":"AAPL.US",'
        b'"open":123.66,"high":123.66,"low":122.49,"close":123.0}]\n'
    )


def test_nothing_asked_is_an_empty_list(api: Api) -> None:
    assert api.get(HISTORY, by="johndoe").get_json() == []


def test_the_date_is_when_it_was_asked(api: Api) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    api.get("/api/v1/stock", by="johndoe", q="aapl.us")
    (entry,) = api.get(HISTORY, by="johndoe").get_json()
    assert before <= datetime.fromisoformat(entry["date"]) <= datetime.now(UTC)


def test_the_latest_comes_first(api: Api) -> None:
    for symbol in ("a", "b", "a", "c"):
        api.get("/api/v1/stock", by="johndoe", q=symbol)
    assert [entry["symbol"] for entry in api.get(HISTORY, by="johndoe").get_json()] == ["C", "A", "B", "A"]


def test_the_latest_hundred_are_given(api: Api, save: Action, apple: Quote) -> None:
    for start in (0, 50, 100):
        save(str(start), *(replace(apple, symbol=f"S{start + n}") for n in range(50)))
    symbols = [entry["symbol"] for entry in api.get(HISTORY, by="johndoe").get_json()]
    assert symbols == [f"S{n}" for n in range(149, 49, -1)]


def test_pages_lead_from_the_latest_entry_to_the_first(api: Api, save: Action, apple: Quote) -> None:
    others = api.get("/api/v1/stock", by="jane", q="janes")
    assert others.status_code == 200
    save("first", *(replace(apple, symbol=f"S{n}") for n in range(25)))
    seen: list[str] = []
    sizes: list[int] = []
    address: str | None = f"{HISTORY}?limit=10&text=a"
    while address:
        response = api.get(address, by="johndoe")
        entries = response.get_json()
        assert {tuple(entry) for entry in entries} == {KEYS}
        seen += [entry["symbol"] for entry in entries]
        sizes.append(len(entries))
        save(f"meanwhile{len(sizes)}", replace(apple, symbol="NEW"))  # what comes in shifts nothing
        link = response.headers.get("Link")
        address = link and link.removeprefix("<").removesuffix('>; rel="next"')
        if link:
            assert re.fullmatch(rf'<{HISTORY}\?limit=10&text=a&before=\d+>; rel="next"', link)
    assert sizes == [10, 10, 5]
    assert seen == [f"S{n}" for n in range(24, -1, -1)]


def test_a_page_that_is_just_full_is_the_last(api: Api, save: Action, apple: Quote) -> None:
    save("three", apple, apple, apple)
    response = api.get(HISTORY, by="johndoe", limit=3)
    assert len(response.get_json()) == 3
    assert "Link" not in response.headers


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=5&limit=5", "limit"),
        ("before=0", "before"),
        ("before=x", "before"),
    ],
)
def test_a_page_that_cannot_be_is_refused(api: Api, expect_problem: ExpectProblem, query: str, named: str) -> None:
    body = expect_problem(api.get(f"{HISTORY}?{query}", by="johndoe"), 400, "invalid-parameter")
    assert body["detail"].startswith(f"Give {named} at most once: ")


def test_users_see_their_own_entries_only(api: Api) -> None:
    api.get("/api/v1/stock", by="johndoe", q="johns")
    api.get("/api/v1/stock", by="jane", q="janes")
    api.get("/api/v1/stock", by="admin", q="admins")
    for name in ("johndoe", "jane", "admin"):
        for query in ({}, {"user_id": 1}, {"user_id": 2}, {"username": "johndoe"}, {"before": 10**18 - 1}):
            symbols = [entry["symbol"] for entry in api.get(HISTORY, by=name, **query).get_json()]
            assert symbols == [{"johndoe": "JOHNS", "jane": "JANES", "admin": "ADMINS"}[name]]


def test_saving_a_request_again_changes_nothing(api: Api, save: Action, apple: Quote) -> None:
    save("same", apple)
    save("same", replace(apple, symbol="OTHER"))
    assert [entry["symbol"] for entry in api.get(HISTORY, by="johndoe").get_json()] == ["AAPL.US"]
    assert api.get("/api/v1/stats", by="admin").get_json() == [{"stock": "aapl.us", "times_requested": 1}]


def test_the_quotes_of_one_request_are_saved_in_order_and_counted(api: Api, save: Action, apple: Quote) -> None:
    save("batch", apple, replace(apple, symbol="MSFT.US"), apple)
    symbols = [entry["symbol"] for entry in api.get(HISTORY, by="johndoe").get_json()]
    assert symbols == ["AAPL.US", "MSFT.US", "AAPL.US"]
    assert api.get("/api/v1/stats", by="admin").get_json() == [
        {"stock": "aapl.us", "times_requested": 2},
        {"stock": "msft.us", "times_requested": 1},
    ]


def test_a_request_whose_rows_are_there_in_part_is_counted_by_those_that_are_new(
    api: Api, save: Action, apple: Quote
) -> None:
    save("same", apple)
    save("same", apple, apple, replace(apple, symbol="MSFT.US"))
    assert api.rows(HistoryEntry) == 3
    assert api.get("/api/v1/stats", by="admin").get_json() == [
        {"stock": "aapl.us", "times_requested": 2},
        {"stock": "msft.us", "times_requested": 1},
    ]


def test_fifty_quotes_are_saved_with_the_statements_of_one(app: Flask, save: Action, apple: Quote) -> None:
    statements: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split("(")[0]))
    save("one", apple)
    one = statements.copy()
    statements.clear()
    save("fifty", *(replace(apple, symbol=f"S{n}") for n in range(50)))
    assert statements == one


def test_a_failure_leaves_no_row_and_the_others_keep_their_places(app: Flask, save: Action, apple: Quote) -> None:
    save("batch", Failure(ErrorCode.SYMBOL_NOT_FOUND), apple, Failure(ErrorCode.UPSTREAM_ERROR), apple)
    save("none", Failure(ErrorCode.SYMBOL_NOT_FOUND))
    with app.app_context(), reading() as connection:
        rows = connection.execute(select(HistoryEntry.request_id, HistoryEntry.position)).all()
    assert rows == [("batch", 1), ("batch", 3)]


def test_a_request_is_saved_as_a_whole_or_not_at_all(api: Api, save: Action, apple: Quote) -> None:
    broken = replace(apple, name=None)
    with pytest.raises(DatabaseUnavailableError):
        save("half", apple, broken)
    assert api.rows(HistoryEntry) == api.rows(StockRequestCount) == 0
    save("half", apple)
    assert api.rows(HistoryEntry) == 1


def test_a_row_keeps_what_was_served(app: Flask, save: Action, user_id: int, apple: Quote) -> None:
    exact = replace(
        apple,
        open=Decimal("0.1000000001"),
        high=Decimal("999999999999.9999999999"),
        low=Decimal("1E+3"),
        volume=2**63 - 1,
        currency="USD",
        stale=True,
        as_of=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
    )
    save("r1", exact, at=ASKED.astimezone(timezone(timedelta(hours=-5))))
    with app.app_context(), reading() as connection:
        row = connection.execute(select(HistoryEntry.__table__)).mappings().one()
    assert dict(row) == {
        "id": 1,
        "user_id": user_id,
        "request_id": "r1",
        "position": 0,
        "requested_at": ASKED,
        "symbol": "AAPL.US",
        "name": "APPLE",
        "open": Decimal("0.1000000001"),
        "high": Decimal("999999999999.9999999999"),
        "low": Decimal(1000),
        "close": Decimal("149.99"),
        "volume": 2**63 - 1,
        "currency": "USD",
        "source": "stooq",
        "as_of": datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        "stale": True,
    }
    assert str(row["high"]) == "999999999999.9999999999"
    assert row["requested_at"].utcoffset() == timedelta(0)


@pytest.fixture
def local_time_of_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("local_time_of_tokyo")
def test_the_zone_of_the_machine_makes_no_difference(api: Api, save: Action, apple: Quote) -> None:
    save("r1", apple)
    assert api.get(HISTORY, by="johndoe").get_json()[0]["date"] == "2021-04-01T19:20:30Z"


def test_a_moment_without_a_zone_is_refused(save: Action, apple: Quote) -> None:
    with pytest.raises(Exception, match="without a zone"):
        save("r1", apple, at=ASKED.replace(tzinfo=None))


def test_a_row_belongs_to_a_user_that_exists(api: Api, save: Action, apple: Quote) -> None:
    with pytest.raises(DatabaseUnavailableError):
        save("r1", apple, by=4711)
    assert api.rows(HistoryEntry) == 0
