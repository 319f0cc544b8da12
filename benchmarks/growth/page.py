"""What part `growth` writes into docs/performance.md: calls and exports beside those of a short history."""

from collections.abc import Sequence
from typing import Final

from benchmarks.frame import Measured, Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle, ratio

POSTGRES: Final = "PostgreSQL"
SQLITE: Final = "SQLite"
SHORTEST: Final = 10**3
SHORT: Final = "short export"
LONG: Final = "long export"
_SCENARIOS: Final = {
    "stats": "`/stats`",
    "first page": "`/users/history`",
    "deep page": "the same, a page in the middle",
    "stock": "`/stock`, cached",
}


_EXPORT_COLUMNS: Final = (
    "`/users/history.csv` of",
    "rows exported",
    "time, s",
    "rows/s",
    "peak memory of the API's process, MB",
    "the same with 1,000 rows",
    "one over the other",
)


def label(kind: str, rows: int) -> str:
    return f"{kind}, {rows:,} rows"


def page(rounds: Sequence[Round]) -> Page:
    columns = ("history", *(f"{what}: ms, over {SHORTEST:,} rows (range)" for what in _SCENARIOS.values()))
    tables = [table(columns, [_row(rounds, case) for case in rounds[0]])]
    exported = [_export_row(case, measured) for each in rounds for case, measured in each.items() if LONG in measured]
    if exported:
        tables.append(table(_EXPORT_COLUMNS, exported))
    return Page("\n\n".join(tables), {})


def _export_row(case: str, measured: Measured) -> list[str]:
    short, long = measured[SHORT], measured[LONG]
    peaks = [long["peak_bytes"], short["peak_bytes"]]
    return [
        case,
        number(long["rows"]),
        number(long["seconds"]),
        number(long["rows"] / long["seconds"]),
        *(number(peak / 10**6) for peak in peaks),
        f"{peaks[0] / peaks[1]:.2f}",
    ]


def _row(rounds: Sequence[Round], case: str) -> list[str]:
    return [case, *(_cell(rounds, case, scenario) for scenario in _SCENARIOS)]


def _cell(rounds: Sequence[Round], case: str, scenario: str) -> str:
    shortest = label(case.partition(",")[0], SHORTEST)
    found = ratio(rounds, case, shortest, scenario, "p50_ms")
    ms = number(middle(rounds, case, scenario, "p50_ms"))
    return ms if case == shortest else f"{ms}, {found.middle:.2f} ({found.low:.2f}-{found.high:.2f})"
