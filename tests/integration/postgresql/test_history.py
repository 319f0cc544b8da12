"""Quotes are saved exactly, once, and counted."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select

from api_service import history, history_pruning, popularity, users
from api_service.database import reading, writing
from api_service.models import HistoryEntry, StockDayCount, StockRequestCount
from api_service.tests.helpers import Api
from stock_contract import Quote
from tests.callers import callers


def test_values_come_out_as_they_went_in(app: Flask, apple: Quote) -> None:
    name = """Société "Ü" 'x' \\ %s {1,2} \U0001f34f"""
    exact = replace(
        apple, name=name, low=Decimal("0.1000000001"), high=Decimal("999999999999.9999999999"), volume=2**63 - 1
    )
    asked = datetime(2021, 4, 1, 19, 20, 30, 987654, tzinfo=UTC)
    with app.app_context():
        history.save_quotes(1, "r1", asked, [exact, replace(apple, volume=None, currency=None)])
        with reading() as connection:
            row, other = connection.execute(select(HistoryEntry.__table__).order_by("id")).mappings()
    assert (row["name"], other["position"], other["volume"], other["currency"]) == (name, 1, None, None)
    assert (row["low"], row["high"], row["volume"]) == (exact.low, exact.high, exact.volume)
    assert (row["requested_at"], row["as_of"]) == (asked, apple.as_of)


def test_saving_a_request_again_changes_nothing(app: Flask, api: Api, apple: Quote) -> None:
    with app.app_context():
        for _ in range(2):
            history.save_quotes(1, "same", datetime.now(UTC), [apple, apple])
        assert popularity.most_requested() == [popularity.StockCount("aapl.us", 2)]
    assert api.rows(HistoryEntry) == 2


def test_of_a_request_that_was_saved_in_part_the_rest_is_saved_and_counted(app: Flask, api: Api, apple: Quote) -> None:
    asked = datetime(2026, 1, 1, 23, 30, tzinfo=timezone(-timedelta(hours=1)))
    with app.app_context():
        history.save_quotes(1, "same", asked, [apple])
        history.save_quotes(1, "same", asked, [apple, apple, replace(apple, symbol="Acu.US")])
        assert popularity.most_requested() == [popularity.StockCount("aapl.us", 2), popularity.StockCount("acu.us", 1)]
        with reading() as connection:
            assert set(connection.scalars(select(StockDayCount.day))) == {date(2026, 1, 2)}  # in UTC
    assert api.rows(HistoryEntry) == 3


def test_a_moment_without_a_zone_is_refused(app: Flask, api: Api, apple: Quote) -> None:
    with app.app_context(), pytest.raises(ValueError, match="zone"):
        history.save_quotes(1, "r1", datetime(2026, 1, 1), [apple])  # noqa: DTZ001
    assert api.rows(HistoryEntry) == 0


def test_a_user_who_is_being_changed_goes_on_being_served(app: Flask, api: Api, apple: Quote) -> None:
    """Or all who are saved with that user would wait, and everybody who waits for their counts."""
    with app.app_context(), writing() as connection:
        users._keep_an_admin(connection, "johndoe")
        users._lock(connection, "johndoe")
        history.save_quotes(1, "r1", datetime.now(UTC), [apple])
        assert api.rows(HistoryEntry) == 1


def test_what_is_old_is_deleted_in_steps_with_a_pause(
    app: Flask, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    old, new = datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    with app.app_context():
        for asked in (old, new):
            for n in range(21):
                history.save_quotes(1, f"{asked.year}-{n}", asked, [apple] * 50)
        assert list(history_pruning.prune(1, new)) == [1000, 50]
        with reading() as connection:
            left = connection.execute(select(HistoryEntry.requested_at, func.count()).group_by("requested_at")).all()
    assert left == [(new, 1050)]
    assert len(pauses) == 1
    assert pauses[0] > 0


def test_counts_equal_rows_with_batches_at_the_same_time_in_any_order(app: Flask, apple: Quote) -> None:
    batches = ["abc", "cba", "bca", "acb"]

    def write(worker: int) -> None:
        with app.app_context():
            for n in range(20):
                quotes = [replace(apple, symbol=symbol.upper()) for symbol in batches[worker % 4]]
                history.save_quotes(1, f"{worker}-{n}", datetime.now(UTC), quotes)

    with callers(12) as pool:
        list(pool.map(write, range(12)))
    with app.app_context(), reading() as connection:
        rows = connection.scalar(select(func.count()).select_from(HistoryEntry))
        times = connection.scalar(select(func.sum(StockRequestCount.times)))
        of_days = connection.scalar(select(func.sum(StockDayCount.times)))
    assert rows == times == of_days == 12 * 20 * 3
