"""The most requested stocks of some days: each row of the history is counted on the day on which it was asked."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from api_service import clock, history, popularity
from api_service.database import reading, writing
from api_service.models import HistoryEntry, StockDayCount
from api_service.tests.helpers import Action, Api, ExpectProblem, HandSetClock
from stock_contract import Quote

STATS = "/api/v1/stats"
DAY = date(2026, 11, 28)
LAST_MOMENT = datetime(2026, 11, 28, 23, 59, 59, 999999, tzinfo=UTC)
A_DAY = "a day as 2026-11-29."
CLOSER = "Give a from and a to that are closer together."


@pytest.fixture
def save(app: Flask, apple: Quote) -> Action:
    def save(request_id: str, at: datetime, *symbols: str) -> None:
        with app.app_context():
            history.save_quotes(1, request_id, at, [replace(apple, symbol=symbol) for symbol in symbols])

    return save


def test_a_row_counts_on_the_day_in_utc_on_which_it_was_asked(api: Api, save: Action) -> None:
    save("r1", LAST_MOMENT, "A.US", "a.us", "B.US")
    save("r2", LAST_MOMENT + timedelta(microseconds=1), "B.US", "C.US")
    save("r2", LAST_MOMENT + timedelta(days=1), "B.US", "C.US", "C.US")  # again, and with one that is new
    for query, found in (
        ({"from": DAY, "to": DAY}, [("a.us", 2), ("b.us", 1)]),
        ({"from": "2026-11-29", "to": "2026-11-29"}, [("c.us", 2), ("b.us", 1)]),
        ({"from": DAY, "to": "2026-11-30"}, [("a.us", 2), ("b.us", 2), ("c.us", 2)]),
        ({"from": DAY, "to": "2026-11-30", "limit": 2}, [("a.us", 2), ("b.us", 2)]),
        ({"from": "2026-11-30", "to": "2026-12-30"}, []),
    ):
        answer = api.get(STATS, by="admin", **query)
        assert [tuple(entry.values()) for entry in answer.get_json()] == found, query
    assert api.get(STATS, by="admin").get_json() == [
        {"stock": stock, "times_requested": 2} for stock in ("a.us", "b.us", "c.us")
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=12),
    first=st.integers(0, 5),
    days=st.integers(0, 5),
    limit=st.integers(1, 3),
)
def test_the_counts_of_days_are_those_of_their_rows(
    app: Flask, save: Action, asked: list[tuple[str, int]], first: int, days: int, limit: int
) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(delete(HistoryEntry))
        connection.execute(delete(StockDayCount))
    for number, (symbol, day) in enumerate(asked):
        save(str(number), LAST_MOMENT + timedelta(days=day), symbol.upper())
    rows = Counter(symbol for symbol, day in asked if first <= day <= first + days)
    expected = sorted(rows.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def found() -> list[tuple[str, int]]:
        span = (DAY + timedelta(days=first), DAY + timedelta(days=first + days))
        with app.app_context():
            return [(count.stock, count.times_requested) for count in popularity.most_requested_on(*span, limit)]

    assert found() == expected


def test_the_migration_counts_the_history_that_there_is(app: Flask, save: Action) -> None:
    save("r1", LAST_MOMENT, "A.US", "a.us", "B.US")
    save("r2", LAST_MOMENT + timedelta(microseconds=1), "B.US")
    with app.app_context():
        flask_migrate.downgrade(revision="0006")
        flask_migrate.upgrade()
        with reading() as connection:
            rows = connection.execute(select(StockDayCount.day, StockDayCount.symbol, StockDayCount.times)).all()
    assert sorted(map(tuple, rows)) == [(DAY, "a.us", 2), (DAY, "b.us", 1), (DAY + timedelta(days=1), "b.us", 1)]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        *(
            (f"{name}={value}", f"Give {name} at most once: {A_DAY}")
            for name in ("from", "to")
            for value in (
                "",
                "x",
                "2026-02-29",
                "0000-01-01",
                "20261129",
                "2026-11-29T10:00:00Z",
                f"{DAY}&{name}={DAY}",
            )
        ),
        *(
            (f"limit={value}", "Give limit at most once: a whole number from 1 to 100.")
            for value in ("0", "101", "x", "5&limit=5")
        ),
        ("from=2026-11-30&to=2026-11-29", "from is later than to. Give a from that is not later than to."),
        ("from=2025-11-28&to=2026-11-29", f"From 2025-11-28 to 2026-11-29 are more than 366 days. {CLOSER}"),
        ("from=2025-11-22", f"From 2025-11-22 to 2026-11-23 are more than 366 days. {CLOSER}"),
    ],
)
def test_a_range_that_cannot_be_is_refused(
    api: Api, expect_problem: ExpectProblem, monkeypatch: pytest.MonkeyPatch, query: str, detail: str
) -> None:
    token = api.token_of("admin")
    monkeypatch.setattr(clock, "utc_now", lambda: HandSetClock().now)
    body = expect_problem(api.get(f"{STATS}?{query}", token=token), 400, "invalid-parameter")
    assert body["detail"] == detail


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"from": "2026-11-22"}, (date(2026, 11, 22), date(2026, 11, 23))),
        ({"from": "2025-11-23"}, (date(2025, 11, 23), date(2026, 11, 23))),
        ({"from": "2030-01-01"}, (date(2030, 1, 1), date(2030, 1, 1))),
        ({"to": "2026-11-23"}, (date(2025, 11, 23), date(2026, 11, 23))),
        ({"to": "0001-01-02"}, (date(1, 1, 1), date(1, 1, 2))),
        ({"from": "9999-12-31"}, (date(9999, 12, 31), date(9999, 12, 31))),
    ],
)
def test_the_end_that_is_missing_is_today_or_a_year_earlier(
    api: Api, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any], days: tuple[date, date]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(popularity, "most_requested_on", lambda *args: asked.append(args) or [])
    token = api.token_of("admin")
    monkeypatch.setattr(clock, "utc_now", lambda: HandSetClock().now)
    assert api.get(STATS, token=token, **query).get_json() == []
    assert asked == [(*days, 5)]


def test_days_are_found_by_the_primary_key(plan_of: Action) -> None:
    plan = plan_of(lambda: popularity.most_requested_on(DAY, DAY))
    assert "SEARCH stock_day_counts USING PRIMARY KEY (day>? AND day<?)" in plan
