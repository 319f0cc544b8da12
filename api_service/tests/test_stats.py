import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select

from api_service import history, popularity, users
from api_service.database import reading, writing
from api_service.models import COUNT_SLOTS, HistoryEntry, StockRequestCount
from api_service.tests.helpers import Action, Api, ExpectProblem
from stock_contract import Quote

STATS = "/api/v1/stats"


def test_the_five_most_requested_of_all_users_come_first_equal_ones_by_name(api: Api) -> None:
    asked = {"f.us": 1, "B.us": 3, "a.us": 2, "c.us": 2, "e.us": 1, "d.us": 1}
    for symbol, times in asked.items():
        for n in range(times):
            api.get("/api/v1/stock", by=("johndoe", "jane")[n % 2], q=symbol)
    response = api.get(STATS, by="admin")
    assert response.status_code == 200
    assert response.get_data() == (
        b'[{"stock":"b.us","times_requested":3},{"stock":"a.us","times_requested":2},'
        b'{"stock":"c.us","times_requested":2},{"stock":"d.us","times_requested":1},{"stock":"e.us","times_requested":1}]\n'
    )


def test_nothing_asked_is_an_empty_list(api: Api) -> None:
    assert api.get(STATS, by="admin").get_json() == []


def test_only_super_users_may_ask(api: Api, expect_problem: ExpectProblem) -> None:
    expect_problem(api.get(STATS), 401, "token-missing")
    expect_problem(api.get(STATS, by="johndoe"), 403, "super-users-only")


def test_a_popular_stock_is_counted_in_several_rows_that_are_summed(app: Flask, api: Api, apple: Quote) -> None:
    with app.app_context():
        user_id = users.find_credentials("johndoe").user_id
        for n in range(60):
            history.save_quotes(user_id, str(n), datetime.now(UTC), [apple])
    assert 1 < api.rows(StockRequestCount) <= COUNT_SLOTS
    assert api.get(STATS, by="admin").get_json() == [{"stock": "aapl.us", "times_requested": 60}]


def test_counts_equal_rows_with_writers_at_the_same_time(app: Flask, apple: Quote) -> None:
    def write(worker: int) -> None:
        with app.app_context():
            for n in range(15):
                quote = replace(apple, symbol=f"S{n % 3}")
                history.save_quotes(1, f"{worker}-{n}", datetime.now(UTC), [quote])

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context(), reading() as connection:
        rows = dict(
            connection.execute(
                select(func.lower(HistoryEntry.symbol), func.count()).group_by(HistoryEntry.symbol)
            ).all()
        )
        counts = {count.stock: count.times_requested for count in popularity.most_requested()}
    assert counts == rows == {"s0": 40, "s1": 40, "s2": 40}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counters=st.dictionaries(
        st.tuples(st.sampled_from("abcdefghij"), st.integers(0, COUNT_SLOTS - 1)),
        st.one_of(st.integers(1, 40), st.integers(1, 10**12)),
        max_size=60,
    ),
    limit=st.one_of(st.integers(1, 5), st.integers(6, 100)),
)
def test_the_first_are_those_that_adding_up_everything_would_find(
    app: Flask, counters: dict[tuple[str, int], int], limit: int
) -> None:
    totals = Counter[str]()
    for (symbol, _), times in counters.items():
        totals[symbol] += times
    rows = [{"symbol": symbol, "slot": slot, "times": times} for (symbol, slot), times in counters.items()]
    with app.app_context():
        with writing() as connection:
            connection.execute(delete(StockRequestCount))
            if rows:
                connection.execute(insert(StockRequestCount), rows)
        found = [(count.stock, count.times_requested) for count in popularity.most_requested(limit)]
    assert found == sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:limit]


def test_a_counter_knows_its_digits_as_it_grows(app: Flask, apple: Quote) -> None:
    with app.app_context():
        for n in range(11 * COUNT_SLOTS):
            history.save_quotes(1, str(n), datetime.now(UTC), [apple])
        with reading() as connection:
            rows = connection.execute(select(StockRequestCount.times, StockRequestCount.digits)).all()
    assert {len(str(times)) for times, _ in rows} == {1, 2}
    assert all(digits == len(str(times)) for times, digits in rows)


def test_the_statistics_never_read_the_history(plan_of: Action) -> None:
    plan = plan_of(popularity.most_requested)
    assert "stock_request_counts" in plan
    assert "history" not in plan


def test_the_statistics_read_a_few_counters_however_many_there_are(app: Flask, plan_of: Action) -> None:
    times = {f"s{n}": 1 + 100_000 // n for n in range(1, 2001)}
    rows = [
        {"symbol": symbol, "slot": slot, "times": times[symbol]} for symbol in times for slot in range(COUNT_SLOTS)
    ]
    with app.app_context(), writing() as connection:
        connection.execute(insert(StockRequestCount), rows)
        connection.exec_driver_sql("ANALYZE")  # with it SQLite chooses otherwise than without
    plan = plan_of(popularity.most_requested)
    assert "SEARCH stock_request_counts USING INDEX ix_stock_request_counts_digits (digits>?)" in plan
    assert "SCAN stock_request_counts USING INDEX sqlite_autoindex" not in plan
