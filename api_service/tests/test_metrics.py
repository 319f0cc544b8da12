"""What the API counts, where it happens. `tests/integration/test_metrics_of_gunicorn.py` has the rest."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError

from amqp_rpc import ClientEvent, RpcError, UnavailableError
from api_service import database, metrics
from api_service.auth import throttle
from api_service.database import DatabaseUnavailableError
from api_service.idempotency import KeyReusedError
from api_service.rpc_metrics import RESULTS, RpcMetrics
from api_service.tests.helpers import Api
from stock_contract import REQUEST_QUEUE

TROUBLES = "stock_api_database_troubles_total"
SAVES = "stock_api_history_save_duration_seconds_count"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def logins(outcome: str) -> float:
    return value("stock_api_logins_total", outcome=outcome)


@pytest.mark.usefixtures("hand_set_clock", "quick_hasher")
def test_log_ins_are_counted_by_their_outcome(api: Api) -> None:
    outcomes = ("succeeded", "wrong-password", "unknown-user", "throttled", "inactive")
    before = [logins(outcome) for outcome in outcomes]
    assert api.log_in("johndoe", "john").status_code == 200
    assert api.log_in("nobody", "nothing").status_code == 401
    for _ in range(throttle.FREE_FAILURES):
        assert api.log_in("johndoe", "wrong").status_code == 401
    assert api.log_in("johndoe", "wrong").status_code == 429
    assert [logins(outcome) - old for outcome, old in zip(outcomes, before, strict=True)] == [
        1, throttle.FREE_FAILURES, 1, 1, 0
    ]  # fmt: skip


def test_saves_are_counted_with_their_requests(api: Api) -> None:
    before = value(SAVES, result="saved"), value("stock_api_history_save_requests_sum")
    assert api.get("/api/v1/stock", by="johndoe", q="aapl.us").status_code == 200
    assert (value(SAVES, result="saved"), value("stock_api_history_save_requests_sum")) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_what_the_database_does_wrong_is_counted_and_a_callers_mistake_is_not() -> None:
    before = value(SAVES, result="saved"), value(SAVES, result="failed")
    for error in (None, DatabaseUnavailableError, KeyReusedError):
        with suppress(DatabaseUnavailableError, KeyReusedError), metrics.Saving(1, DatabaseUnavailableError):
            if error:
                raise error
    assert (value(SAVES, result="saved"), value(SAVES, result="failed")) == (before[0] + 1, before[1] + 1)
    away, driver_error = value(TROUBLES, trouble="unavailable"), sqlite3.OperationalError("a test")
    driver_error.sqlite_errorname = "SQLITE_CANTOPEN"
    with pytest.raises(DatabaseUnavailableError), database._troubles_named():
        raise DBAPIError("", None, driver_error)
    assert value(TROUBLES, trouble="unavailable") == away + 1


def _below(error: type[RpcError]) -> Iterator[type[RpcError]]:
    return chain([error], *map(_below, error.__subclasses__()))


def test_every_error_of_a_call_has_a_result_of_its_own() -> None:
    assert set(_below(RpcError)) - {RpcError, UnavailableError} == set(RESULTS)
    assert len(set(RESULTS.values())) == len(RESULTS)


def test_calls_are_counted_by_result_and_the_connection_is_shown() -> None:
    observer, count = RpcMetrics(), "rpc_client_call_duration_seconds_count"
    results = ("ok", *RESULTS.values())
    before = [value(count, result=result) for result in results]
    for error in (None, *(error("a test") for error in RESULTS)):
        observer.began()
        assert value("rpc_client_calls_in_flight") == 1
        observer.ended(0.1, error)
    assert value("rpc_client_calls_in_flight") == 0
    assert [value(count, result=result) - old for result, old in zip(results, before, strict=True)] == [1] * len(
        results
    )
    for event, connected in ((ClientEvent.CONNECTED, 1), (ClientEvent.REPEATED, 1), (ClientEvent.DISCONNECTED, 0)):
        observer.happened(event)
        assert value("rpc_client_connected", queue=REQUEST_QUEUE) == connected
    for event in ClientEvent:
        observer.happened(event)
