"""A key has one answer and one row, for as long as it is kept."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api_service import idempotency
from api_service.database import writing
from api_service.models import HistoryEntry, IdempotentAnswer
from api_service.tests.helpers import Api, ScriptedStockClient
from stock_contract import Quote
from tests.callers import callers


def test_two_calls_at_once_with_one_key_get_one_answer_and_one_row(
    api: Api, stock_client: ScriptedStockClient, apple: Quote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All find the key free and have a quote, each another one, before any of them saves."""
    count = 4
    all_asked, prices = threading.Barrier(count, timeout=10), iter(range(1, 100))

    def quotes(symbols: object, **_: object) -> tuple[Quote]:
        all_asked.wait()
        return (replace(apple, close=Decimal(next(prices))),)

    monkeypatch.setattr(stock_client, "quotes", quotes)
    for turn in range(5):
        headers = {"Authorization": f"Bearer {api.token_of('johndoe')}", "Idempotency-Key": f"k{turn}"}

        def ask(_: int, headers: dict[str, str] = headers) -> TestResponse:
            return api.app.test_client().get("/api/v1/stock?q=aapl.us", headers=headers)

        with callers(count) as pool:
            answers = list(pool.map(ask, range(count)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.get_data() for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == count - 1
        assert api.rows(HistoryEntry) == api.rows(IdempotentAnswer) == turn + 1


def test_keys_whose_time_is_over_are_forgotten_and_may_be_used_again(app: Flask, api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token_of('johndoe')}"}
    for number in range(3):
        api.client.get("/api/v1/stock?q=aapl.us", headers=headers | {"Idempotency-Key": f"k{number}"})
    with app.app_context(), writing() as connection:
        old = datetime.now(UTC) - idempotency.LIFETIME - timedelta(seconds=1)
        connection.execute(IdempotentAnswer.__table__.update().values(answered_at=old))
    response = api.client.get("/api/v1/stock?q=msft.us", headers=headers | {"Idempotency-Key": "k1"})
    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response.headers
    assert api.rows(IdempotentAnswer) == 1
