"""The report of part `end_to_end`."""

from collections.abc import Sequence
from typing import Final, get_args

from benchmarks.end_to_end.places import Kind
from benchmarks.end_to_end.variants import PROCESSES, THREADS, bare, ceiling, original, ours
from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle, ratio

_NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_PARTS: Final = ("api", "worker", "broker", "database")
_COLUMNS: Final = ("server", "calls/s", "ours / this", "p50 ms", "p99 ms", *(f"CPU ms: {part}" for part in _PARTS))


def page(rounds: Sequence[Round]) -> Page:
    """A table for each database: medians of the rounds, and ratios taken within them."""
    told = [
        (
            f"32 keep-alive clients, {PROCESSES} processes of {THREADS} threads, no rate limits. The rows are counted:"
            " each 200 is a committed one. Both databases wait for the disk at each commit."
        ),
        *(f"* **{variant.name}**: {variant.meaning}" for variant in (ours(), ceiling(), bare(), original())),
    ]
    for kind in get_args(Kind):
        told += ["", f"### {_NAMES[kind]}", "", table(_COLUMNS, [_row(rounds, case, kind) for case in rounds[0]])]
    return Page("\n".join(told), {})


def _row(rounds: Sequence[Round], case: str, kind: str) -> list[str]:
    def shown(figure: str) -> str:
        return number(middle(rounds, case, kind, figure))

    beside = ratio(rounds, "ours", case, kind, "rate")
    return [
        case,
        shown("rate"),
        f"{number(beside.middle)} ({number(beside.low)} to {number(beside.high)})",
        shown("p50"),
        shown("p99"),
        *(shown(f"cpu {part}") for part in _PARTS),
    ]
