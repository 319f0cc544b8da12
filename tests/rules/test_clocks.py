"""From the worker to the broker nothing waits, expires or is retried by the time of day: a clock may jump there.

The API is no such room. What its processes share, through a database, Redis or a token, has only the wall clock in
common; rows 49 and 50 of docs/reliability.md say what a jump does to it.
"""

import re
from pathlib import Path

from tests.rules.compose_files import ROOT

ROOMS = ("amqp_rpc", "service_kit", "stock_service")
_TIME_OF_DAY = re.compile(r"\btime\.time(_ns)?\(|\bdatetime\.(now|utcnow|today)\(|\btime\.(localtime|gmtime)\(\)")
STAMPED = {
    "stock_service/tally.py",
    *(f"stock_service/providers/{name}.py" for name in ("cboe", "recorded", "stooq", "twelvedata", "yahoo")),
}
"""Here a moment is told to people: when a quote was read, and when a provider last answered."""

MEASURED = {"amqp_rpc/outgoing_calls.py", "amqp_rpc/in_memory.py", "amqp_rpc/server.py"}
"""Here a request is told when it was sent, and an observer how long it lay in the queue; nothing is decided by it."""

OF_FILES = {"service_kit/heartbeat.py"}
"""The age of a file, for a health check: who set its time had no other clock."""


def test_outside_the_api_the_time_of_day_is_told_and_never_counted_on() -> None:
    readers = {path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts}
    found = {_name(path) for path in readers if _TIME_OF_DAY.search(path.read_text(encoding="utf-8"))}
    assert found == STAMPED | MEASURED | OF_FILES


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
