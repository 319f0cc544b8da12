"""The history as a file: all of it, exact, harmless in a spreadsheet, and never a part that looks like all."""

import csv
import gc
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from werkzeug.test import TestResponse

from api_service import history, history_csv
from api_service.database import DatabaseUnavailableError, writing
from api_service.history_reading import EVERYTHING, Filters
from api_service.models import HistoryEntry
from api_service.resources import exports
from api_service.tests.helpers import Api, ExpectProblem
from service_kit.deadline import Deadline
from stock_contract import Quote

CSV = "/api/v1/users/history.csv"
HISTORY = "/api/v1/users/history"
ASKED = datetime(2026, 11, 28, 23, 59, 59, 987654, tzinfo=UTC)
JOHNDOE = 2
LONG = 2500


@pytest.fixture
def long_history(app: Flask) -> None:
    """Of three chunks."""
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(1))
    rows = [
        {"user_id": JOHNDOE, "request_id": "r", "position": n, "requested_at": ASKED + timedelta(seconds=n // 7)}
        | {"symbol": f"S{n % 3}", "name": f"{n}", "source": "stooq", "as_of": ASKED, "stale": False}
        | prices
        for n in range(LONG)
    ]
    with app.app_context(), writing() as connection:
        connection.execute(insert(HistoryEntry), rows)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_a_file_is_literally_that_of_the_contract(app: Flask, api: Api, apple: Quote) -> None:
    exact = replace(
        apple,
        open=Decimal("0.1000000001"),
        high=Decimal("999999999999.9999999999"),
        low=Decimal("1E+3"),
        volume=None,
        as_of=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        stale=True,
    )
    with app.app_context():
        history.save_quotes(JOHNDOE, "r1", ASKED, [exact])
        history.save_quotes(
            JOHNDOE, "r2", ASKED + timedelta(days=1), [replace(apple, name='A "B", C', currency="USD")]
        )
    answer = api.get(CSV, by="johndoe")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="history.csv"'
    assert answer.text == (
        "date,symbol,name,open,high,low,close,volume,currency,source,as_of,stale\r\n"
        '2026-11-29T23:59:59Z,AAPL.US,"A ""B"", C",148.43,150.4,147.48,149.99,63804008,USD,stooq,'
        "2021-11-12T21:00:10Z,false\r\n"
        "2026-11-28T23:59:59Z,AAPL.US,APPLE,0.1000000001,999999999999.9999999999,1000,149.99,,"
        f"{exact.currency or ''},stooq,2026-01-02T03:04:05.678900Z,true\r\n"
    )


def test_nothing_asked_is_the_header_alone(api: Api) -> None:
    assert api.get(CSV, by="johndoe").text == ",".join(history_csv.COLUMNS) + "\r\n"


@pytest.mark.usefixtures("long_history")
def test_a_file_has_what_all_pages_have_filtered_or_not(app: Flask, api: Api) -> None:
    api.get("/api/v1/stock", by="jane", q="janes")
    second = (ASKED + timedelta(seconds=200)).isoformat().replace("+00:00", "Z")
    for query in ({}, {"symbol": "s1"}, {"from": second}, {"symbol": "s2", "to": second}, {"to": "2026-11-27"}):
        paged: list[dict[str, Any]] = []
        page: dict[str, Any] | None = query
        while page is not None:
            answer = api.get(HISTORY, by="johndoe", limit=1000, **page)
            paged += answer.get_json()
            link = answer.headers.get("Link")
            page = query | {"before": link.split("before=")[1].split(">")[0]} if link else None
        rows = read(api.get(CSV, by="johndoe", limit=1, before=5, **query).text)
        assert [(row["date"], row["name"]) for row in rows] == [(entry["date"], entry["name"]) for entry in paged]
        assert str(len(rows)) == answer.headers["X-Total-Count"]
    with app.app_context():
        assert history_csv.size(JOHNDOE, EVERYTHING) == LONG
        assert history_csv.size(JOHNDOE, Filters(symbol="S0")) == 834


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.one_of(NAMES, st.tuples(st.sampled_from("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'"), NAMES).map("".join)))
def test_a_text_comes_out_as_it_is_and_never_as_a_formula(app: Flask, apple: Quote, name: str) -> None:
    with app.app_context():
        with writing() as connection:
            connection.execute(delete(HistoryEntry))
        history.save_quotes(JOHNDOE, "r", ASKED, [replace(apple, name=name, currency="=1", symbol="-A")])
        ((_, cells),) = [list(csv.reader(io.StringIO("".join(history_csv.lines(JOHNDOE, EVERYTHING)), newline="")))]
    row = dict(zip(history_csv.COLUMNS, cells, strict=True))
    assert row["name"].removeprefix("'" if row["name"] != name else "") == name
    assert not row["name"].startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert (row["currency"], row["symbol"], row["close"]) == ("'=1", "'-A", "149.99")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("application/json, text/csv;q=0.9", "application/json"),
        ("application/json, text/csv", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("image/png", "application/json"),
        (None, "application/json"),
    ],
)
def test_the_history_is_a_file_for_who_wants_csv(api: Api, accept: str | None, kind: str) -> None:
    headers = {"Authorization": f"Bearer {api.token_of('johndoe')}"} | ({"Accept": accept} if accept else {})
    answer = api.client.get(HISTORY, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.vary.as_set() >= {"accept"}


@pytest.mark.usefixtures("long_history")
def test_at_most_two_are_sent_at_once(api: Api, expect_problem: ExpectProblem) -> None:
    """A place is free again when a file was read, when its client has gone, and when nobody has begun to read."""
    for end in (TestResponse.close, TestResponse.get_data, None):
        held = [api.client.get(CSV, headers={"Authorization": f"Bearer {api.token_of('johndoe')}"}) for _ in range(2)]
        assert all(next(answer.iter_encoded()) for answer in held)
        refused = api.get(CSV, by="jane")
        expect_problem(refused, 429, "too-many-exports")
        assert int(refused.headers["Retry-After"]) > 0
        assert api.get(HISTORY, by="jane").status_code == 200
        if end:
            end(held[0])
            answer = api.get(CSV, by="jane")
            assert answer.status_code == 200
            answer.close()
        del held
        gc.collect()
    for method in ("head", "get"):
        answer = getattr(api.client, method)(CSV, headers={"Authorization": f"Bearer {api.token_of('jane')}"})
        assert answer.status_code == 200
        answer.close()


def test_a_database_that_is_away_at_first_is_a_503(
    api: Api, expect_problem: ExpectProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Iterator[str]:
        raise DatabaseUnavailableError
        yield ""

    token = api.token_of("johndoe")
    monkeypatch.setattr(history_csv, "lines", away)
    for _ in range(3):  # and no place is lost
        expect_problem(api.get(CSV, token=token), 503, "database-unavailable")


@pytest.mark.usefixtures("long_history")
def test_what_breaks_in_the_middle_is_no_whole_file(
    app: Flask, api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), writing() as connection:
        connection.exec_driver_sql("UPDATE history SET close = 'no number' WHERE position = 500")
    answer = api.client.get(CSV, headers={"Authorization": f"Bearer {api.token_of('johndoe')}"})
    assert answer.status_code == 200
    with pytest.raises(ConnectionResetError):
        answer.get_data()
    broken = [record for record in caplog.records if record.message == "export.broken_off"]
    assert [record.request_id for record in broken] == [answer.headers["X-Request-ID"]]
    monkeypatch.setattr(Deadline, "expired", True)
    answer = api.client.get(CSV, headers={"Authorization": f"Bearer {api.token_of('johndoe')}"})
    with pytest.raises(ConnectionResetError):
        answer.get_data()
    assert "export.too_slow" in caplog.messages
    assert app.extensions["exports"]._value == exports.AT_ONCE


@pytest.mark.usefixtures("long_history")
def test_a_long_history_takes_the_memory_of_a_short_one(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_csv, "_AT_ONCE", 50)

    def peak_of(filters: Filters) -> int:
        tracemalloc.start()
        try:
            assert all(history_csv.lines(JOHNDOE, filters))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with app.app_context():
        peak_of(EVERYTHING)  # what is kept for the next time
        assert peak_of(EVERYTHING) < 1.3 * peak_of(Filters(end=ASKED + timedelta(seconds=30)))
