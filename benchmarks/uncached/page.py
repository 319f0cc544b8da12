"""What part `uncached` writes into docs/performance.md: a table, and what a second worker brings."""

from collections.abc import Sequence
from typing import Final

from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.summary import middle, ratio

PROVIDER_SECONDS: Final = 0.2
DISTINCT: Final = 32
"""Symbols asked for at once."""
CALLERS: Final = 1000
"""Of one symbol at once."""
WORKERS: Final[dict[str, tuple[int, ...]]] = {
    "1 x 8": (8,),
    "1 x 16": (16,),
    "1 x 32": (32,),
    "2 x 16": (16, 16),
}
"""Stock services and their threads, which are what each of them takes from the queue at a time."""
_COLUMNS: Final = (
    "stock services x threads",
    f"{DISTINCT} symbols at once: last answer, ms",
    "over 200 ms plus cached",
    "as many calls for a cached one, ms",
    "64 outstanding: answers/s",
    "over 1 x 16 (range)",
    f"{CALLERS:,} callers of one symbol: calls upstream, not 200, last answer ms",
)


def page(rounds: Sequence[Round]) -> Page:
    return Page(table(_COLUMNS, [_row(rounds, label) for label in rounds[0]]), {})


def _row(rounds: Sequence[Round], label: str) -> list[str]:
    def figure(scenario: str, which: str) -> float:
        return middle(rounds, label, scenario, which)

    more = ratio(rounds, label, "1 x 16", "flow", "rate")
    return [
        label,
        number(figure("burst", "all_ms")),
        number(over_least(figure("burst", "all_ms"), figure("burst", "cached_all_ms"))),
        number(figure("burst", "cached_all_ms")),
        number(figure("flow", "rate")),
        f"{number(more.middle)} ({number(more.low)}-{number(more.high)})",
        ", ".join(number(figure("one", which)) for which in ("upstream_calls", "not_ok", "all_ms")),
    ]


def over_least(all_ms: float, cached_ms: float) -> float:
    """How many times what it takes at least: one answer of the provider, and all the rest of the way."""
    return all_ms / (1000 * PROVIDER_SECONDS + cached_ms)
