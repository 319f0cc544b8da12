"""What part `writers` writes into docs/performance.md."""

from collections.abc import Sequence
from typing import Final

from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle, ratio

MANY: Final = "16 symbols"
ONE: Final = "one symbol"
ONE_COUNTER: Final = "one symbol with one counter"
CASES: Final = {MANY: (16, 0), ONE: (1, 0), ONE_COUNTER: (1, 1)}
"""How many symbols, and how many counters each has; 0: as many as the service gives it."""
_COLUMNS: Final = ("16 writers of", "saves/s", "over 16 symbols (range)")


def page(rounds: Sequence[Round]) -> Page:
    return Page(table(_COLUMNS, [_row(rounds, case) for case in CASES]), {})


def _row(rounds: Sequence[Round], case: str) -> list[str]:
    over = ratio(rounds, case, MANY, "saving", "rate")
    return [
        case,
        number(middle(rounds, case, "saving", "rate")),
        f"{over.middle:.2f} ({over.low:.2f}-{over.high:.2f})",
    ]
