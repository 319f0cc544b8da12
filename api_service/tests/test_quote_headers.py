from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api_service.resources.quote_headers import quote_headers
from api_service.tests.helpers import Api, HoldLock, ScriptedStockClient
from stock_contract import ErrorCode, Failure, Quote

READ = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
WITH_ONE_QUOTE = ("/api/v1/stock?q=aapl.us", "/api/v1/quotes/aapl.us")


def headers(quote: Quote, age: float, fresh_for: float | None = None, **changes: bool) -> dict[str, str]:
    fresh_until = None if fresh_for is None else READ + timedelta(seconds=fresh_for)
    quote = replace(quote, fetched_at=READ, fresh_until=fresh_until, **changes)
    return quote_headers(quote, READ + timedelta(seconds=age))


@pytest.mark.parametrize(
    ("age", "told"), [(0, "0"), (0.999, "0"), (1, "1"), (59.5, "59"), (86_400, "86400"), (-0.5, "0"), (-3600, "0")]
)
def test_the_age_is_in_whole_seconds_and_never_negative(apple: Quote, age: float, told: str) -> None:
    assert headers(apple, age)["Age"] == told


@pytest.mark.parametrize(
    ("age", "fresh_for", "left"),
    [
        (0, 60, 60),
        (0.1, 60, 59),
        (18, 60, 42),
        (59.9, 60, 0),
        (60, 60, 0),
        (3600, 60, 0),
        (5, None, 0),
        (-3600, 60, 60),
    ],
)
def test_an_answer_may_be_kept_as_long_as_the_quote_is_fresh(
    apple: Quote, age: float, fresh_for: float | None, left: int
) -> None:
    assert headers(apple, age, fresh_for)["Cache-Control"] == f"private, max-age={left}"


def test_only_a_stale_quote_is_said_to_be_stale(apple: Quote) -> None:
    assert headers(apple, 0, stale=True)["Quote-Stale"] == "true"
    assert "Quote-Stale" not in headers(apple, 0)


@pytest.mark.parametrize("path", WITH_ONE_QUOTE)
def test_an_answer_with_one_quote_has_the_headers(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, path: str
) -> None:
    now = datetime.now(UTC)
    stock_client.quote = replace(
        apple, fetched_at=now - timedelta(seconds=100), fresh_until=now + timedelta(seconds=50.9), stale=True
    )
    response = api.get(path, by="johndoe")
    assert response.headers["Quote-Source"] == "stooq"
    assert response.headers["Quote-As-Of"] == "2021-11-12T21:00:10Z"
    assert 100 <= int(response.headers["Age"]) < 110
    assert response.headers.getlist("Cache-Control") in ([f"private, max-age={n}"] for n in range(41, 51))
    assert response.headers["Quote-Stale"] == "true"
    assert response.headers["Vary"] == "Authorization"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", WITH_ONE_QUOTE)
def test_an_error_is_not_kept(
    api: Api, stock_client: ScriptedStockClient, locked_database: HoldLock, path: str
) -> None:
    with locked_database():
        not_saved = api.get(path, by="johndoe")
    stock_client.answer = Failure(ErrorCode.SYMBOL_NOT_FOUND)
    for response in (not_saved, api.get(path, by="johndoe"), api.get(path)):
        assert response.status_code in {401, 404, 503}
        assert response.headers.getlist("Cache-Control") == ["no-store"]
        assert not {"Age", "Quote-Source", "Quote-As-Of", "Quote-Stale"} & set(response.headers.keys())


def test_a_batch_is_not_kept(api: Api) -> None:
    response = api.get("/api/v1/quotes", by="johndoe", symbols="a")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Age" not in response.headers
