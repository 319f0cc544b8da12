"""Which entries a page has, in which order, how many there are of them, and by which index they are found."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from api_service.database import reading, writing
from api_service.history_reading import Filters, count, page, step
from api_service.models import HistoryEntry
from api_service.tests.helpers import Action, Api, ExpectProblem

HISTORY = "/api/v1/users/history"
FIRST = datetime(2026, 11, 28, 23, 59, 57, tzinfo=UTC)
JOHNDOE, JANE = 2, 3
A_DAY_OR_MOMENT = "a day as 2026-11-29, or a moment as 2026-11-29T10:00:00Z."


def row(entry_id: int, user_id: int, symbol: str, moment: datetime) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"), 1)
    whence = {"source": "stooq", "as_of": moment, "stale": False, "name": f"{entry_id}", "position": 0}
    keys = {"id": entry_id, "user_id": user_id, "request_id": f"r{entry_id}"}
    return keys | {"symbol": symbol, "requested_at": moment} | prices | whence


def fill(app: Flask, rows: list[dict[str, Any]]) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(delete(HistoryEntry))
        if rows:
            connection.execute(insert(HistoryEntry), rows)


def names_on_all_pages(api: Api, query: dict[str, Any]) -> Iterator[list[str]]:
    """The names, which are the ids, on each page; every one of them says how many there are, and keeps the filters."""
    totals = set()
    following: dict[str, Any] | None = query
    while following is not None:
        answer = api.get(HISTORY, by="johndoe", **following)
        totals.add(answer.headers["X-Total-Count"])
        yield [entry["name"] for entry in answer.get_json()]
        link = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
        following = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()} if link else None
        assert following is None or query.items() <= following.items()
    assert len(totals) == 1


SECONDS = st.integers(0, 6).map(lambda seconds: FIRST + timedelta(seconds=seconds))
ROWS = st.lists(st.tuples(st.sampled_from([JOHNDOE, JOHNDOE, JANE]), st.sampled_from(["A.US", "B.US"]), SECONDS))
MOMENTS = st.one_of(st.none(), SECONDS, st.just(FIRST.date()), st.just(FIRST.date() + timedelta(days=1)))


def as_text(bound: Any) -> str:
    return bound.isoformat().replace("+00:00", "Z")


def lowest(bound: Any) -> datetime:
    return bound if isinstance(bound, datetime) else datetime.combine(bound, datetime.min.time(), UTC)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, start=MOMENTS, end=MOMENTS, symbol=st.sampled_from([None, "a.us", "B.US"]), limit=st.integers(1, 4))
def test_pages_have_exactly_what_the_filters_leave_in_order(
    app: Flask, api: Api, rows: list[tuple[int, str, datetime]], start: Any, end: Any, symbol: str | None, limit: int
) -> None:
    """Entries come in any order of moments, some of them at the same one; another user's lie between."""
    fill(app, [row(number, *one) for number, one in enumerate(rows, start=1)])
    api.app.extensions.pop("history_totals", None)
    from_ = start and lowest(start)
    before = end and (end if isinstance(end, datetime) else lowest(end) + timedelta(days=1))
    left = [
        (moment, number)
        for number, (user_id, code, moment) in enumerate(rows, start=1)
        if user_id == JOHNDOE
        and (symbol is None or code == symbol.upper())
        and (from_ is None or moment >= from_)
        and (before is None or moment < before)
    ]
    query = {"symbol": symbol, "from": start and as_text(start), "to": end and as_text(end), "limit": limit}
    query = {name: str(value) for name, value in query.items() if value is not None}
    if start and end and from_ > lowest(end) and from_ >= before:
        assert api.get(HISTORY, by="johndoe", **query).status_code == 400
        return
    pages = list(names_on_all_pages(api, query))
    assert [name for page in pages for name in page] == [str(number) for _, number in sorted(left, reverse=True)]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert api.get(HISTORY, by="johndoe", **query).headers["X-Total-Count"] == str(len(left))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.sampled_from([JOHNDOE, JANE]), SECONDS), min_size=1), data=st.data())
def test_a_page_before_any_id_begins_at_the_moment_of_the_next_id(
    app: Flask, rows: list[tuple[int, datetime]], data: st.DataObject
) -> None:
    """Ids are even, so that some are of no entry."""
    entries = {2 * number: one for number, one in enumerate(rows, start=1)}
    fill(app, [row(number, user_id, "A", moment) for number, (user_id, moment) in entries.items()])
    before = data.draw(st.one_of(st.integers(1, 2 * len(rows) + 2), st.just(10**18 - 1)))
    known = [moment for number, (_, moment) in sorted(entries.items()) if number >= before]
    place = (known[0], before) if known else (datetime.max.replace(tzinfo=UTC), 0)
    own = sorted(
        ((moment, number) for number, (user_id, moment) in entries.items() if user_id == JOHNDOE), reverse=True
    )
    end = data.draw(st.one_of(st.none(), SECONDS))
    with app.app_context(), reading() as connection:
        found = [entry["id"] for entry in page(connection, JOHNDOE, Filters(end=end), 1000, before)]
    assert found == [number for moment, number in own if (moment, number) < place and (not end or moment < end)]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        *(
            (f"{name}={value}", f"Give {name} at most once: {A_DAY_OR_MOMENT}")
            for name in ("from", "to")
            for value in (
                "",
                "x",
                "2026-02-29",
                "2026-11-31",
                "0000-01-01",
                "10000-01-01",
                "20261129",
                "2026-W48-7",
                "2026-11-29 10:00:00Z",
                "2026-11-29T10:00:00",
                "2026-11-29T25:00:00Z",
                "2026-11-29T10:00Z",
                "0001-01-01T00:00:00%2B14:00",
                "9999-12-31T23:59:59-14:00",
                "%D9%A2%D9%A0%D9%A2%D9%A6-11-29",
                f"2026-11-29&{name}=2026-11-29",
            )
        ),
        ("from=2026-11-30&to=2026-11-29", "from is later than to. Give a from that is not later than to."),
        ("from=2026-11-30T00:00:01Z&to=2026-11-29", "from is later than to. Give a from that is not later than to."),
        *(
            (f"symbol={value}", "Give symbol at most once: a stock symbol of 1 to 20 characters, as aapl.us.")
            for value in ("", "a b", "a,b", "a%00", "s" * 21, "a&symbol=a", "%27")
        ),
    ],
)
@pytest.mark.parametrize("path", [HISTORY])
def test_a_filter_that_cannot_be_is_refused(
    api: Api, expect_problem: ExpectProblem, path: str, query: str, detail: str
) -> None:
    body = expect_problem(api.get(f"{path}?{query}", by="johndoe"), 400, "invalid-parameter")
    assert body["detail"] == detail


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from=0001-01-01&to=9999-12-31", 1),
        ("from=9999-12-31&to=9999-12-31", 0),
        ("from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999999Z", 1),
        ("from=2026-11-28&to=2026-11-28", 1),
        ("from=2026-11-29&to=2026-11-29", 0),
        ("from=2026-11-28T23:59:57Z&to=2026-11-28T23:59:57Z", 0),
        ("from=2026-11-28T23:59:57Z&to=2026-11-28T23:59:57.000001Z", 1),
        ("from=2026-11-29T01:59:57%2B02:00&to=2026-11-29T01:59:57.1%2B02:00", 1),
        ("symbol=^Spx", 1),
        ("symbol=^sp", 0),
    ],
)
def test_a_filter_at_the_edge(app: Flask, api: Api, query: str, found: int) -> None:
    fill(app, [row(1, JOHNDOE, "^SPX", FIRST)])
    answer = api.get(f"{HISTORY}?{query}", by="johndoe")
    assert (len(answer.get_json()), answer.headers["X-Total-Count"]) == (found, str(found))


@pytest.mark.parametrize("given", [names for n in range(4) for names in combinations(("symbol", "start", "end"), n)])
@pytest.mark.parametrize("before", [None, 4711])
def test_every_page_and_count_is_found_by_an_index_without_sorting(
    app: Flask, plan_of: Action, given: tuple[str, ...], before: int | None
) -> None:
    fill(app, [row(4711, JOHNDOE, "A", FIRST)])
    values = {"symbol": "A", "start": FIRST - timedelta(days=1), "end": FIRST + timedelta(days=1)}
    filters = Filters(**{name: values[name] for name in given})

    def read() -> None:
        with reading() as connection:
            page(connection, JOHNDOE, filters, 100, before)
            count(connection, JOHNDOE, filters)
            assert step(connection, JOHNDOE, FIRST, values["end"], 0) == (FIRST, 0)

    plan = plan_of(read)
    index = f"ix_history_user_id_{'symbol_' if 'symbol' in given else ''}requested_at_id"
    bounds = "user_id=?" + (" AND symbol=?" if "symbol" in given else "")
    lower = " AND requested_at>?" if "start" in given else ""
    assert (
        f"SEARCH history USING COVERING INDEX {index} ({bounds}{lower}{' AND requested_at<?' * ('end' in given)})"
        in plan
    )
    upper = " AND requested_at<?" if "end" in given or before else ""
    assert f"SEARCH history USING INDEX {index} ({bounds}{lower}{upper})" in plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan
