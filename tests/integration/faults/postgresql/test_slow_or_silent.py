"""The way to the server swallows everything, or is slow."""

import time
from contextlib import ExitStack

import pytest
from sqlalchemy import event

from api_service import postgresql
from api_service.database import db
from api_service.models import HistoryEntry
from api_service.tests.helpers import Api, ExpectProblem
from service_kit import time_budget
from tests.fault_proxy import FaultProxy
from tests.integration.faults.postgresql.parts import AT_ONCE, FIFTY, SAVE, Ask, DuringTheCall, counted
from tests.link_faults import Direction

in_each_direction = pytest.mark.parametrize(
    "directions", [(), (Direction.DOWN,), (Direction.UP,)], ids=["both", "down", "up"]
)
LONG_AGO = 0.0
whenever_it_answered = pytest.mark.parametrize("trusted", [60.0, LONG_AGO], ids=["lately", "long ago"], indirect=True)
"""Who answered long ago is looked at first, and then there is an attempt to make a new connection."""


@pytest.fixture
def trusted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_TRUSTED", request.param)


@pytest.mark.usefixtures("trusted")
@whenever_it_answered
@in_each_direction
def test_a_database_that_swallows_everything_is_a_503_in_time(
    api: Api, ask: Ask, proxy: FaultProxy, expect_problem: ExpectProblem, directions: tuple[Direction, ...]
) -> None:
    """Whatever is waited for has a limit of our own."""
    assert ask().status_code == 200
    with proxy.blackhole(*directions):
        started = time.monotonic()
        expect_problem(ask(), 503, "database-unavailable")
        assert time.monotonic() - started < time_budget.DATABASE_PING + 2 + AT_ONCE
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_database_that_swallows_the_save_is_a_503_in_time(
    api: Api, ask: Ask, proxy: FaultProxy, expect_problem: ExpectProblem
) -> None:
    with ExitStack() as fault, api.app.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda *args: fault.enter_context(proxy.blackhole()) if "INSERT INTO history" in args[2] else None,
        )
        started = time.monotonic()
        expect_problem(ask(), 503, "history-not-saved")
        assert time.monotonic() - started < SAVE
    assert api.rows(HistoryEntry) == counted(api.app) == 0


@pytest.mark.usefixtures("trusted")
@whenever_it_answered
@in_each_direction
def test_a_way_that_is_lost_while_the_stock_service_is_asked_costs_no_more_than_a_save(
    api: Api,
    ask: Ask,
    proxy: FaultProxy,
    during_the_call: DuringTheCall,
    expect_problem: ExpectProblem,
    directions: tuple[Direction, ...],
) -> None:
    """So the answer comes in time after any stock service: it has six seconds, and the client is promised nine.

    The look at an old connection and the attempt to make a new one are part of the save.
    """
    assert ask().status_code == 200
    began: list[float] = []
    with ExitStack() as fault:

        def lose_the_way() -> None:
            fault.enter_context(proxy.blackhole(*directions))
            began.append(time.monotonic())

        during_the_call(lose_the_way)
        expect_problem(ask(), 503, "history-not-saved")
        assert time.monotonic() - began[0] < SAVE
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2


def test_a_batch_of_fifty_is_saved_over_a_slow_way(api: Api, ask: Ask, proxy: FaultProxy) -> None:
    assert ask().status_code == 200
    with proxy.latency(0.1, Direction.DOWN):
        assert ask(FIFTY).status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 51


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("trusted", [LONG_AGO], indirect=True)
def test_a_save_of_answers_that_each_come_in_time_ends_by_its_own_deadline(
    api: Api, ask: Ask, proxy: FaultProxy, during_the_call: DuringTheCall, expect_problem: ExpectProblem
) -> None:
    """No single answer takes as long as PostgreSQL or the driver would wait for it. A look and a key make two more of
    them, so that the time is over before the commit."""
    assert ask().status_code == 200
    with ExitStack() as fault:
        during_the_call(lambda: fault.enter_context(proxy.latency(0.45, Direction.DOWN)))
        started = time.monotonic()
        expect_problem(ask(FIFTY, key="k1"), 503, "history-not-saved")
        assert time.monotonic() - started < SAVE
    assert ask().status_code == 200
    assert api.rows(HistoryEntry) == counted(api.app) == 2
