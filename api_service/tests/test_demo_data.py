"""A history made up to look at: rows as the service saves them, each of them counted, whatever stops the filling."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select

from api_service import demo_commands
from api_service.bulk_entries import Entry, add_entries
from api_service.database import DatabaseUnavailableError, reading, writing
from api_service.demo_data import demo_entries
from api_service.demo_stocks import DEMO_STOCKS
from api_service.models import HistoryEntry, StockDayCount, StockRequestCount
from api_service.tests.helpers import Action, Api
from stock_contract.symbols import is_valid_symbol

END = datetime(2026, 11, 29, 12, 0, 0, 7, tzinfo=UTC)


def test_entries_are_spread_over_the_time_and_their_prices_are_those_of_a_day() -> None:
    entries = list(demo_entries(7, 2000, END - timedelta(days=10), END))
    moments = [entry.requested_at for entry in entries]
    assert moments == sorted(set(moments))
    assert (moments[0], {moment.date() for moment in moments}) == (
        END - timedelta(days=10),
        {(END - timedelta(days=days)).date() for days in range(11)},
    )
    assert len({entry.request_id for entry in entries}) == len(entries)
    assert {entry.symbol for entry in entries} == {stock.symbol for stock in DEMO_STOCKS}
    for entry in entries:
        assert 0 < entry.low <= min(entry.open, entry.close) <= max(entry.open, entry.close) <= entry.high
        assert entry.as_of <= entry.requested_at
        assert (entry.user_id, entry.source) == (7, "demo")
    assert len({entry.close for entry in entries if entry.symbol == "AAPL.US"}) > 100


def test_the_stocks_are_such_as_the_service_takes() -> None:
    assert len({stock.symbol for stock in DEMO_STOCKS}) == len(DEMO_STOCKS) > 24
    assert [stock for stock in DEMO_STOCKS if not is_valid_symbol(stock.symbol.lower())] == []


def test_what_is_added_at_once_is_read_as_what_the_service_saves(app: Flask) -> None:
    prices = [Decimal(text) for text in ("0.1000000001", "999999999999.99", "0.00000001", "26350")]
    zone = datetime(2026, 11, 29, 12, 0, 0, 7, tzinfo=UTC).astimezone()
    entries = [
        Entry(2, f"r{n}", n, zone, "^SPX", "Ä\t\\N", *prices, volume, currency, "demo", zone, stale)
        for n, (volume, currency, stale) in enumerate([(2**63 - 1, "USD", True), (None, None, False)])
    ]
    with app.app_context():
        with writing() as connection:
            add_entries(connection, entries)
        with reading() as connection:
            rows = connection.execute(select(HistoryEntry.__table__).order_by(HistoryEntry.id)).all()
            stored = connection.exec_driver_sql("SELECT low, requested_at FROM history").first()
    assert [tuple(row)[1:] for row in rows] == [tuple(entry) for entry in entries]
    assert [row.id for row in rows] == [1, 2]
    assert stored == ("0.00000001", "2026-11-29 12:00:00.000007")


def counted(api: Api) -> int:
    """How many entries there are; the counts say so of each stock, and of each stock and day."""
    with api.app.app_context(), reading() as connection:
        day, symbol = func.date(HistoryEntry.requested_at), func.lower(HistoryEntry.symbol)
        saved = connection.execute(select(day, symbol, func.count()).group_by(day, symbol)).all()
        of_days = select(func.date(StockDayCount.day), StockDayCount.symbol, func.sum(StockDayCount.times))
        assert connection.execute(of_days.group_by(StockDayCount.day, StockDayCount.symbol)).all() == saved
        of_all = select(StockRequestCount.symbol, func.sum(StockRequestCount.times)).group_by(StockRequestCount.symbol)
        sums = {name: int(times) for name, times in connection.execute(of_all)}
    by_symbol: Counter[str] = Counter()
    for _, name, times in saved:
        by_symbol[name] += times
    assert sums == by_symbol
    return by_symbol.total()


def test_the_command_fills_the_history_of_a_user_beside_what_is_there(run: Action, api: Api) -> None:
    api.get("/api/v1/stock", by="jane", q="aapl.us")
    output = run("demo-data", "--rows", "300", "--user", "jane", "--days", "3")
    said = r"^Added 300 entries to the history of jane, from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\.$"
    assert re.search(said, output, re.MULTILINE)
    run("demo-data", "--rows", "20")
    assert counted(api) == 321
    assert len(api.get("/api/v1/users/history", by="jane", limit=1000).get_json()) == 301
    assert len(api.get("/api/v1/users/history", by="johndoe").get_json()) == 20


@pytest.mark.parametrize(
    ("trouble", "exit_code", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted: 20 of 100 entries were added, and are counted.\n"),
        (
            DatabaseUnavailableError(),
            1,
            (
                "Stopped: 20 of 100 entries were added, and are counted.\n"
                "Error: The database cannot be reached or is busy.\n"
            ),
        ),
    ],
)
def test_what_stops_it_leaves_whole_batches(
    run: Action,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    trouble: BaseException,
    exit_code: int,
    said: str,
) -> None:
    batches = iter(range(10))

    def add(*args: object) -> None:
        add_entries(*args)  # type: ignore[arg-type]
        if next(batches) == 2:
            raise trouble

    monkeypatch.setattr(demo_commands, "_BATCH", 10)
    monkeypatch.setattr(demo_commands, "add_entries", add)
    assert run("demo-data", "--rows", "100", exit_code=exit_code).endswith(said)
    assert counted(api) == 20


def test_it_is_refused_in_production_and_for_nobody(run: Action, api: Api) -> None:
    assert run("demo-data", "--rows", "10", exit_code=1, app_env="production").startswith(
        "Error: There is no demo data in production"
    )
    assert run("demo-data", "--rows", "10", "--user", "nobody", exit_code=1).startswith(
        "Error: There is no user nobody."
    )
    for wrong in (("--rows", "0"), ("--rows", "10", "--days", "0"), ()):
        run("demo-data", *wrong, exit_code=2)
    assert api.rows(HistoryEntry) == 0
