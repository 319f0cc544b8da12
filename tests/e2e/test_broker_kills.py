"""A broker that crashes five times under load: every call is answered in time, and every 200 has its row."""

import time
from collections import Counter
from pathlib import Path

import pytest

from scripts.brokers import Broker
from tests.fault_system import running_fault_system
from tests.invariants import RECOVERY_SECONDS, Recorder
from tests.stand_ins import StooqStandIn
from tests.steady_calls import SteadyCalls
from tests.waiting import eventually

CALLS_A_SECOND = 20
KILLS = 5
BETWEEN_KILLS = 20
"""Served calls, before the next one."""


@pytest.mark.timeout(240)
def test_a_broker_that_is_killed_five_times_loses_and_doubles_nothing(
    tmp_path: Path, broker: Broker, module_amqp_url: str, stooq: StooqStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_fault_system(tmp_path, stooq.url, module_amqp_url, WEB_THREADS="80") as system:
        recorder = Recorder(system, system.database)
        recorder.recovered_in()
        load = SteadyCalls(recorder, CALLS_A_SECOND)
        recoveries = [_kill_and_start(broker, recorder) for _ in range(KILLS)]
        load.finish()
        assert [child.exit_code for child in (system.api, *system.workers)] == [None, None]
        violations = recorder.violations()
        rows = recorder.rows()
    with capsys.disabled():
        print(_table(recorder, len(rows), recoveries))  # noqa: T201  the figures that this test is for
    assert violations == []
    assert {row[0] for row in rows} == {answer.request_id for answer in recorder.served}
    assert {answer.status for answer in recorder.answers} <= {200, 503, 504}
    assert max(recoveries) < RECOVERY_SECONDS


def _kill_and_start(broker: Broker, recorder: Recorder) -> float:
    """Seconds from when the broker lets clients in again until the first call that began later is served."""
    before = len(recorder.served)
    eventually(lambda: len(recorder.served) >= before + BETWEEN_KILLS, within=10.0)
    broker.kill()
    eventually(lambda: recorder.answers[-1].status == 503, within=10.0)
    broker.start()
    back_at = time.monotonic()
    eventually(lambda: any(each.began + each.seconds > back_at for each in recorder.served), within=RECOVERY_SECONDS)
    return min(each.began + each.seconds for each in recorder.served if each.began + each.seconds > back_at) - back_at


def _table(recorder: Recorder, rows: int, recoveries: list[float]) -> str:
    by_status = Counter(answer.status for answer in recorder.answers)
    lines = {
        "calls": len(recorder.answers),
        "answers": ", ".join(f"{status}: {count}" for status, count in sorted(by_status.items(), key=str)),
        "rows": rows,
        "slowest answer": f"{max(answer.seconds for answer in recorder.answers):.2f} s",
        "recoveries": ", ".join(f"{seconds:.2f} s" for seconds in recoveries),
    }
    return "\n" + "\n".join(f"  {name:<16}{value}" for name, value in lines.items())
