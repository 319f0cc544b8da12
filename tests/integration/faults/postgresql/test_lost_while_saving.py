"""The connection is lost in the transaction of a save, even in its commit."""

import logging
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from api_service import history
from api_service.database import DatabaseUnavailableError, db, reading
from api_service.models import HistoryEntry, IdempotentAnswer
from api_service.tests.helpers import Api, ExpectProblem
from stock_contract import Quote
from tests.fault_proxy import FaultProxy
from tests.integration.faults.postgresql.parts import Ask, counted, events
from tests.link_faults import Direction


def test_a_connection_lost_in_the_transaction_is_got_over_by_saving_once_more(
    api: Api, ask: Ask, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as fault, api.app.app_context():
        sprung = fault.enter_context(proxy.reset_after(b"INSERT INTO history", Direction.UP))
        event.listen(db.engine, "handle_error", lambda _: fault.close())
        assert ask().status_code == 200
        assert sprung.is_set()
    assert events(caplog) == {("db.unavailable", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 1


def test_a_connection_lost_in_both_transactions_is_a_503_without_a_row(
    api: Api, ask: Ask, proxy: FaultProxy, expect_problem: ExpectProblem
) -> None:
    with proxy.reset_after(b"INSERT INTO history", Direction.UP):
        expect_problem(ask(), 503, "history-not-saved")
    assert api.rows(HistoryEntry) == counted(api.app) == 0
    assert ask().status_code == 200


@pytest.mark.parametrize("key", [None, "k1"])
def test_a_connection_lost_during_the_commit_is_got_over_by_saving_once_more(
    api: Api, ask: Ask, proxy: FaultProxy, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the first commit took place, only the server knows; the second transaction finds out."""
    with ExitStack() as fault, api.app.app_context():
        sprung = fault.enter_context(proxy.reset_after(b"COMMIT", Direction.UP))
        event.listen(db.engine, "handle_error", lambda _: fault.close())
        response = ask(key=key)
        assert response.status_code == 200
        assert "Idempotent-Replayed" not in response.headers
        assert sprung.is_set()
    assert events(caplog) == {("db.commit_unknown", logging.ERROR)}
    assert api.rows(HistoryEntry) == counted(api.app) == 1


def test_after_a_503_in_doubt_the_same_key_makes_one_row(
    api: Api, ask: Ask, proxy: FaultProxy, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.reset_after(b"COMMIT", Direction.UP):
        expect_problem(ask(key="k1"), 503, "history-not-saved")
    assert events(caplog) == {("db.commit_unknown", logging.ERROR)}
    assert ask(key="k1").status_code == 200
    assert api.rows(HistoryEntry) == api.rows(IdempotentAnswer) == counted(api.app) == 1


def test_after_a_commit_in_doubt_the_same_request_makes_one_row(app: Flask, proxy: FaultProxy, apple: Quote) -> None:
    with app.app_context():
        with proxy.reset_after(b"COMMIT", Direction.UP), pytest.raises(DatabaseUnavailableError):
            history.save_quotes(1, "r1", datetime.now(UTC), [apple])
        history.save_quotes(1, "r1", datetime.now(UTC), [apple])
        with reading() as connection:
            assert connection.scalar(select(func.count()).select_from(HistoryEntry)) == 1
    assert counted(app) == 1
