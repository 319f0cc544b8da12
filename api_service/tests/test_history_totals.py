"""The number of a user's entries is remembered for a while, and is right all the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from unittest.mock import patch

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event

from api_service import clock, history, history_totals
from api_service.database import db, reading, writing
from api_service.history_reading import Filters
from api_service.history_totals import LIFETIME, SETTLED, Totals
from api_service.models import HistoryEntry
from api_service.tests.helpers import HandSetClock
from stock_contract import Quote

JOHNDOE, JANE = 2, 3
Total = Callable[..., int]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> HandSetClock:
    hand_set = HandSetClock()
    monkeypatch.setattr(clock, "utc_now", lambda: hand_set.now)
    return hand_set


@pytest.fixture
def save(app: Flask, apple: Quote) -> Callable[[datetime, int], None]:
    numbers = count()

    def save(at: datetime, entries: int = 1, by: int = JOHNDOE) -> None:
        history.save_quotes(by, f"r{next(numbers)}", at, [replace(apple, symbol="S")] * entries)

    return save


@pytest.fixture
def total(app: Flask, now: HandSetClock) -> Iterator[Total]:
    start = now.now

    def passed() -> float:
        return (now.now - start).total_seconds()

    totals = Totals(timer=passed)

    def total(user_id: int = JOHNDOE) -> int:
        with reading() as connection:
            return totals.of(connection, user_id)

    with app.app_context():
        yield total


def test_what_is_saved_is_counted_at_once_and_by_user(
    total: Total, save: Callable[..., None], now: HandSetClock
) -> None:
    assert total() == 0
    for added in range(1, 200):
        save(now.now - timedelta(seconds=added % 9), by=JOHNDOE if added % 2 else JANE)  # late by what a call lives
        assert (total(), total(JANE)) == ((added + 1) // 2, added // 2)
        now.move(3.7)


def test_a_long_history_is_counted_once(
    app: Flask, total: Total, save: Callable[..., None], now: HandSetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: counted.append(args[2]))
    monkeypatch.setattr(history_totals, "_MANY", 3)
    save(now.now - SETTLED * 2, entries=9)
    assert total() == 9
    now.move(30)
    counted.clear()
    assert total() == 9
    assert len([sent for sent in counted if "requested_at <" in sent]) == 0
    for _ in range(20):  # and what is new does not become as long
        save(now.now, entries=4)
        now.move(20)
        counted.clear()
        assert total() == total()
        assert all("requested_at >=" in sent for sent in counted if "count" in sent)
    assert total() == 9 + 20 * 4


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages=st.lists(st.integers(-5, 130), max_size=40), piece=st.integers(1, 9), moves=st.integers(0, 90))
def test_counting_in_pieces_counts_each_entry_once(
    app: Flask, save: Callable[..., None], now: HandSetClock, ages: list[int], piece: int, moves: int
) -> None:
    """Many of them at the same moment, some later than what may be remembered."""
    totals = Totals()
    with (
        app.app_context(),
        patch.object(history_totals, "_PIECE", piece),
        patch.object(history_totals, "_MANY", 0),
    ):
        with writing() as connection:
            connection.execute(delete(HistoryEntry))
        for age in ages:
            save(now.now - timedelta(seconds=age // 10 * 10))
        for _ in range(3):
            with reading() as connection:
                assert totals.of(connection, JOHNDOE) == len(ages)
            now.move(moves)


def test_what_something_else_has_changed_shows_after_a_while(
    total: Total, save: Callable[..., None], now: HandSetClock
) -> None:
    save(now.now - SETTLED * 2, entries=5)
    assert total() == 5
    with writing() as connection:
        connection.execute(delete(HistoryEntry).where(HistoryEntry.position == 0))
    save(now.now - timedelta(days=700), entries=3)
    assert total() == 5
    now.move(LIFETIME + 1)
    assert total() == 7


def test_filtered_ones_are_counted_each_time(app: Flask, save: Callable[..., None], now: HandSetClock) -> None:
    with app.app_context(), reading() as connection:
        assert history_totals.total(connection, JOHNDOE, Filters(symbol="S")) == 0
    with app.app_context():
        save(now.now - timedelta(days=700), entries=3)
    with app.app_context(), reading() as connection:
        assert history_totals.total(connection, JOHNDOE, Filters(symbol="S")) == 3
        assert history_totals.total(connection, JOHNDOE, Filters(symbol="T")) == 0
