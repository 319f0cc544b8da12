"""What part `cost` writes into docs/performance.md: one line for each of the two services."""

from collections.abc import Sequence
from typing import Final

from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle

CASE: Final = "both services"
API_PROCESSES: Final = 2
QUIET_SECONDS: Final = 20.0
_PARTS: Final = {"api": f"API (a master and {API_PROCESSES} processes)", "worker": "stock service"}
_COLUMNS: Final = (
    "",
    "start, s",
    "memory, MB: started, warm, after the calls (growth since warm)",
    "CPU a call, ms",
    "CPU while idle, % of a core",
)


def page(rounds: Sequence[Round]) -> Page:
    rows = [_row(rounds, part, what) for part, what in _PARTS.items()]
    return Page(f"{table(_COLUMNS, rows)}\n\n{_rest(rounds)}", {})


def growth(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %"


def _row(rounds: Sequence[Round], part: str, what: str) -> list[str]:
    fresh, warm, after = (middle(rounds, CASE, when, f"{part}_bytes") for when in ("fresh", "warm", "after"))
    memory = ", ".join(f"{value / 1e6:.0f}" for value in (fresh, warm, after))
    return [
        what,
        number(middle(rounds, CASE, "start", f"{part}_s")),
        f"{memory} ({growth(warm, after)})",
        number(middle(rounds, CASE, "calls", f"{part}_cpu_ms")),
        number(middle(rounds, CASE, "idle", f"{part}_percent")),
    ]


def _rest(rounds: Sequence[Round]) -> str:
    calls, broker, database = (
        middle(rounds, CASE, "calls", which) for which in ("calls", "broker_cpu_ms", "database_cpu_ms")
    )
    to_broker, to_database = (middle(rounds, CASE, "connections", which) for which in ("broker", "database"))
    return (
        f"{calls:,.0f} calls. The broker takes {number(broker)} ms of CPU a call, the database {number(database)}."
        f" Connections to the broker: {to_broker:.0f}, one for each of the {API_PROCESSES} processes of the API that"
        f" serve and one for the stock service. Connections to the database: {to_database:.0f}, of at most 16 for each"
        " process of the API."
    )
