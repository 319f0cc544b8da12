"""Rows 1 to 7 of docs/reliability.md: the broker away, and every way in which the network to it can be broken."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.fault_proxy import FaultProxy
from tests.fault_system import FaultSystem
from tests.integration.faults.conftest import PASSWORD, Watch, expect_log, log_has
from tests.invariants import LogTail
from tests.link_faults import Direction
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(60)


def link(system: FaultSystem, side: str) -> FaultProxy:
    return system.api_link if side == "client" else system.worker_link


def log(watch: Watch, side: str) -> LogTail:
    return watch.api_log if side == "client" else watch.worker_log


def test_the_api_starts_without_a_broker_and_says_so_at_once(system: FaultSystem, watch: Watch) -> None:
    """Row 1."""
    with system.api_link.down():
        system.stop_api(system.api)
        system.start_api()  # waits for /healthz
        watch.api_log = tail = LogTail(system.api.log, from_start=True)
        watch.ask()
        eventually(lambda: log_has(tail, "rpc.connect_failed", level="warning", role="client"))
        refused = watch.ask()
        assert (refused.status, refused.slug, refused.retry_after) == (503, "broker-unavailable", "5")
        assert refused.seconds < 0.3
        watch.others_answer()
    assert watch.recorder.recovered_in() < 10.0
    assert all("retry_in" in event for event in tail.events() if event["event"] == "rpc.connect_failed")


def test_the_worker_starts_without_a_broker_and_serves_when_it_is_there(system: FaultSystem, watch: Watch) -> None:
    """Row 2."""
    with system.worker_link.down():
        system.end_worker(system.workers[0])
        tail = watch.watch_log(system.start_worker())
        eventually(lambda: tail.names().count("rpc.connect_failed") >= 3)
        expect_log(tail, "rpc.connect_failed", level="warning", role="server")
        assert PASSWORD not in tail.text()
    assert watch.recorder.recovered_in() < 10.0
    assert system.workers[0].exit_code is None


@pytest.fixture
def first_backoff(system: FaultSystem, stooq: StooqStandIn) -> None:
    """Processes that have lost no connection yet: after several losses within seconds they pause before the next."""
    system.stop_api(system.api)
    system.start_api()
    system.end_worker(system.workers[0])
    system.start_serving_worker()
    system.warm_up(stooq)


@pytest.mark.usefixtures("first_backoff")
@pytest.mark.parametrize("side", ["client", "server"])
def test_calls_in_flight_survive_a_reset_connection(
    system: FaultSystem, watch: Watch, stooq: StooqStandIn, side: str
) -> None:
    """Row 4: the API sends them once more, or the broker delivers them once more."""
    calls = watch.begin_held(4)
    link(system, side).cut()
    eventually(lambda: log(watch, side).names().count("rpc.connected") == 1, within=8.0)
    stooq.release()
    assert {(answer.status, answer.slug) for answer in watch.all_answers(calls)} == {(200, "")}
    eventually(lambda: log(watch, side).names().count("rpc.connection_lost") == 1)
    expect_log(log(watch, side), "rpc.connection_lost", level="warning", role=side)


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_frame_that_ends_in_its_middle_costs_a_connection_and_no_answer(
    system: FaultSystem, watch: Watch, side: str, direction: Direction
) -> None:
    """Row 4."""
    with link(system, side).truncate(100, direction):
        calls = watch.begin()
        eventually(lambda: log_has(log(watch, side), "rpc.connection_lost"), within=20.0)
    assert watch.all_answers(calls)[0].status in {200, 503, 504}
    watch.recorder.recovered_in()


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
def test_a_black_hole_before_the_api_is_noticed_long_before_the_deadline(
    system: FaultSystem, watch: Watch, direction: Direction
) -> None:
    """Rows 5 and 6."""
    with system.api_link.blackhole(direction):
        first = watch.all_answers(watch.begin(4))
        assert {(answer.status, answer.slug) for answer in first} == {(503, "broker-unavailable")}
        assert max(answer.seconds for answer in first) < 5.0
        eventually(
            lambda: log_has(watch.api_log, "rpc.broker_silent") or log_has(watch.api_log, "rpc.connection_lost")
        )
        later = watch.ask()
        assert (later.status, later.slug) == (503, "broker-unavailable")
        assert later.seconds < 1.5
        watch.others_answer()
    assert watch.recorder.recovered_in() < 10.0


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
def test_a_black_hole_before_the_only_worker_costs_the_time_budget(
    system: FaultSystem, watch: Watch, direction: Direction
) -> None:
    """Rows 5 and 6, the other side: the broker believes that somebody serves, and only the deadline can tell."""
    with system.worker_link.blackhole(direction):
        calls = watch.begin(2)
        watch.others_answer()
        answers = watch.all_answers(calls)
    assert {(answer.status, answer.slug) for answer in answers} == {(504, "stock-service-timeout")}
    assert max(answer.seconds for answer in answers) < 7.0
    assert watch.recorder.recovered_in() < 10.0


def slow(proxy: FaultProxy) -> AbstractContextManager[None]:
    return proxy.latency(0.2)


def sliced(proxy: FaultProxy) -> AbstractContextManager[None]:
    return proxy.slices(1)


@pytest.mark.parametrize("fault", [slow, sliced])
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_slow_or_sliced_network_costs_time_only(
    system: FaultSystem, watch: Watch, side: str, fault: Callable[[FaultProxy], AbstractContextManager[None]]
) -> None:
    """Row 7."""
    with fault(link(system, side)):
        answers = watch.all_answers(watch.begin(4))
    assert {(answer.status, answer.slug) for answer in answers} == {(200, "")}
    assert "rpc.connection_lost" not in log(watch, side).names()


def test_a_frozen_api_link_is_noticed_and_thaws(system: FaultSystem, watch: Watch) -> None:
    """Rows 5 and 6 without a lost byte: what was held back arrives late, and is nobody's."""
    with system.api_link.freeze():
        first = watch.all_answers(watch.begin(4))
        assert {(answer.status, answer.slug) for answer in first} == {(503, "broker-unavailable")}
    assert watch.recorder.recovered_in() < 10.0


def test_a_frozen_api_process_answers_nobody_twice(system: FaultSystem, watch: Watch, stooq: StooqStandIn) -> None:
    """A pause of the whole process, as of a virtual machine: replies and deadlines pass meanwhile."""
    calls = watch.begin_held(4)
    os.killpg(system.api.pid, signal.SIGSTOP)
    stooq.release()
    eventually(lambda: len(stooq.queries) >= 4)
    os.killpg(system.api.pid, signal.SIGCONT)
    assert {(answer.status, answer.slug) for answer in watch.all_answers(calls)} == {(200, "")}
