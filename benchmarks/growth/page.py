"""What part `growth` writes into docs/performance.md: the time of each call, and its ratio to the shortest history."""

from collections.abc import Sequence
from typing import Final

from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle, ratio

POSTGRES: Final = "PostgreSQL"
SQLITE: Final = "SQLite"
SHORTEST: Final = 10**3
_SCENARIOS: Final = {
    "stats": "`/stats`",
    "first page": "`/users/history`",
    "deep page": "the same, a page in the middle",
    "stock": "`/stock`, cached",
}


def label(kind: str, rows: int) -> str:
    return f"{kind}, {rows:,} rows"


def page(rounds: Sequence[Round]) -> Page:
    columns = ("history", *(f"{what}: ms, over {SHORTEST:,} rows (range)" for what in _SCENARIOS.values()))
    return Page(table(columns, [_row(rounds, case) for case in rounds[0]]), {})


def _row(rounds: Sequence[Round], case: str) -> list[str]:
    return [case, *(_cell(rounds, case, scenario) for scenario in _SCENARIOS)]


def _cell(rounds: Sequence[Round], case: str, scenario: str) -> str:
    shortest = label(case.partition(",")[0], SHORTEST)
    found = ratio(rounds, case, shortest, scenario, "p50_ms")
    ms = number(middle(rounds, case, scenario, "p50_ms"))
    return ms if case == shortest else f"{ms}, {found.middle:.2f} ({found.low:.2f}-{found.high:.2f})"
