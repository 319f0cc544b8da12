"""Each layer ends before the layer above it gives up, wherever the figures are used."""

import runpy
import sys

import pytest

from scripts import services
from service_kit import time_budget as budget
from tests.rules.compose_files import ROOT


def test_each_layer_ends_before_the_one_above_it() -> None:
    assert budget.CLIENT_ANSWER > budget.RPC_DEADLINE > budget.UPSTREAM_TOTAL
    assert budget.UPSTREAM_TOTAL > budget.UPSTREAM_CONNECT + budget.UPSTREAM_READ
    assert budget.RPC_DEADLINE + budget.DATABASE_SAVE + budget.DATABASE_ROLLBACK <= budget.CLIENT_ANSWER
    assert budget.DATABASE_SAVE > budget.DATABASE_LOCK
    assert budget.READY_DATABASE + budget.READY_STOCK_SERVICE < budget.PROBE
    assert budget.DATABASE_SAVE > 2 * budget.DATABASE_PING
    assert budget.DATABASE_LOCK + budget.LOGIN_TURN + 2 * budget.DATABASE_SAVE < budget.CLIENT_ANSWER


def test_callers_hear_that_nobody_serves_before_their_deadline() -> None:
    assert budget.NO_SERVER_GRACE < budget.RPC_DEADLINE


def test_callers_that_wait_for_a_process_to_start_are_still_answered_in_time() -> None:
    assert budget.CONNECT_FIRST + budget.DATABASE_SAVE < budget.CLIENT_ANSWER


def test_a_worker_counts_as_hung_only_long_after_any_call_of_its_own() -> None:
    assert budget.HANDLER_HUNG > budget.CLIENT_ANSWER


def test_a_stopping_process_can_finish_what_it_has_begun() -> None:
    assert budget.GRACEFUL_STOP > budget.CLIENT_ANSWER
    assert budget.CONTAINER_STOP_GRACE > budget.GRACEFUL_STOP
    assert services.STOP_SECONDS > budget.GRACEFUL_STOP


@pytest.mark.parametrize("service", ["api_service", "stock_service"])
def test_gunicorn_stops_in_the_same_time(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setattr(sys, "path", [*sys.path])  # the file adds to it
    configuration = runpy.run_path(str(ROOT / service / "gunicorn.conf.py"))
    assert configuration["graceful_timeout"] == budget.GRACEFUL_STOP
    assert configuration.get("timeout", 30) > budget.CLIENT_ANSWER
