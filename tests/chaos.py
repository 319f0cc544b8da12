"""Random faults under a steady load, against every invariant: `make chaos`.

CHAOS_SECONDS (600) is how long, CHAOS_SEED chooses the faults: the same seed breaks the same things in the same order.
"""

import os
import random
import secrets
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.brokers import Broker, own_broker
from tests.chaos_faults import FAULTS, World
from tests.fault_system import FaultSystem, running_fault_system
from tests.invariants import LOG_LINES_A_SECOND, RECOVERY_SECONDS, Footprint, LogTail, Recorder
from tests.stand_ins import StooqStandIn
from tests.steady_calls import SteadyCalls

CALLS_A_SECOND = 5
_TWO_AT_ONCE = 0.25
"""How often a second fault of another kind comes along."""
_HOLD = (0.5, 4.0)
_PAUSE = (0.2, 1.5)
_LONGEST_WAIT = 3 * RECOVERY_SECONDS


@dataclass
class Report:
    """What happened, and what should not have."""

    seed: int
    recorder: Recorder
    survived: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def table(self) -> str:
        answers = self.recorder.answers
        by_status = Counter(answer.status for answer in answers)
        slowest = max(answers, key=lambda answer: answer.seconds)
        lines = {
            "seed": self.seed,
            "calls": len(answers),
            "answers": ", ".join(f"{status}: {count}" for status, count in sorted(by_status.items(), key=str)),
            "200s": len(self.recorder.served),
            "repeated after an outage": sum(answer.repeated for answer in answers),
            "  of these done before it": sum(answer.replayed for answer in answers),
            "rows": len(self.recorder.rows()),
            "lost": self.recorder.lost(),
            "doubled": self.recorder.doubled(),
            "crossed": self.recorder.crossed(),
            "unanswered": len(self.recorder.unanswered),
            "slowest answer": f"{slowest.seconds:.2f} s",
            "slowest recovery": f"{max(self.recoveries, default=0):.2f} s",
            "faults survived": self.survived.total(),
            **{f"  {name}": count for name, count in sorted(self.survived.items())},
        }
        return "\n".join(f"{name:<32}{value}" for name, value in lines.items())


def run(world: World, seconds: float, seed: int) -> Report:
    """Break one thing after the other for that long, and check the invariants."""
    system = world.system
    system.warm_up(world.stooq)
    report = Report(seed, Recorder(system, system.database, system.outages))
    report.recorder.recovered_in()
    footprint = Footprint(system.api)
    load = SteadyCalls(report.recorder, CALLS_A_SECOND)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            _break_something(world, report)
            time.sleep(world.dice.uniform(*_PAUSE))
    finally:
        load.finish()
    report.violations += report.recorder.violations()
    report.violations += _marks_left(system, footprint)
    return report


def _break_something(world: World, report: Report) -> None:
    kinds = world.dice.sample(sorted(FAULTS), 2 if world.dice.random() < _TWO_AT_ONCE else 1)
    names = [(kind, world.dice.choice(sorted(FAULTS[kind]))) for kind in kinds]
    with ExitStack() as faults:
        for kind, name in names:
            faults.enter_context(FAULTS[kind][name](world))
        if "database" not in kinds:
            report.violations += _others_that_fail(world.system, names)
        time.sleep(world.dice.uniform(*_HOLD))
    _wait_for_recovery(report, names)


def _others_that_fail(system: FaultSystem, names: list[tuple[str, str]]) -> list[str]:
    """Log-in, history and statistics answer while only the way to a quote is broken (I7)."""
    answers = [
        system.login("johndoe", "john"),
        system.get("/api/v1/users/history"),
        system.get("/api/v1/stats", "admin"),
    ]
    return [f"{answer.url} answered {answer.status_code} under {names} (I7)" for answer in answers if not answer.ok]


def _wait_for_recovery(report: Report, names: list[tuple[str, str]]) -> None:
    healed_at = time.monotonic()
    while time.monotonic() - healed_at < _LONGEST_WAIT:
        served = [each.began + each.seconds for each in report.recorder.served if each.began >= healed_at]
        if served:
            break
        time.sleep(0.05)
    taken = min(served, default=time.monotonic()) - healed_at
    report.recoveries.append(taken)
    if taken > RECOVERY_SECONDS:
        report.violations.append(f"recovered from {names} only after {taken:.1f} s (I5)")
    else:
        report.survived.update(f"{kind}: {name}" for kind, name in names)


def _marks_left(system: FaultSystem, footprint: Footprint) -> list[str]:
    """Threads and descriptors that have not come back (I6), and logs that have run hot (I8)."""
    marks = []
    footprint.child = system.api  # the first one may have been killed
    end = time.monotonic() + RECOVERY_SECONDS
    while not footprint.is_back() and time.monotonic() < end:
        time.sleep(0.1)
    if not footprint.is_back():
        marks.append(f"threads and descriptors of the API: {footprint.before} at first, {footprint.now()} now (I6)")
    busiest = {
        log.name: LogTail(log, from_start=True).busiest_second() for log in system.directory.glob("*-[0-9]*.log")
    }
    hot = [
        f"{lines} lines in a second in {name} (I8)" for name, lines in busiest.items() if lines >= LOG_LINES_A_SECOND
    ]
    return marks + hot


def main() -> int:
    """Make a system and a broker of their own, and break them; 1 when an invariant did not hold."""
    seconds = float(os.environ.get("CHAOS_SECONDS", "600"))
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
    print(f"chaos: {seconds:.0f} s with CHAOS_SEED={seed}", flush=True)
    with TemporaryDirectory(prefix="stock-quotes-chaos-") as directory, ExitStack() as parts:
        stooq = StooqStandIn()
        parts.callback(stooq.close)
        broker: Broker = own_broker(Path(directory, "broker"), lambda text: print(f"chaos: {text}", flush=True))
        parts.callback(broker.stop)
        services = Path(directory, "services")
        services.mkdir()
        system = parts.enter_context(running_fault_system(services, stooq.url, broker.url, workers=2))
        report = run(World(system, broker, "/", stooq, random.Random(seed)), seconds, seed)
        print(report.table())
    print(*report.violations, sep="\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
