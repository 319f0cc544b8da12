"""The frame of every part: rounds in which each case is measured once, in an order that is shuffled anew.

What disturbs the machine for a while then falls on neighbours alike, and a ratio is taken within a round. A part is a
module that gives cases; the frame knows nothing else of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Figures = Mapping[str, float]
"""By name, for example `rate`; the part's report knows their units."""

Measured = Mapping[str, Figures]
"""By scenario, for example `sequential`: what one case gave in one round."""

Round = Mapping[str, Measured]
"""By case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One of those that are compared."""

    name: str
    measure: Callable[[], Measured]
    """Starts what it needs, warms it up, measures each scenario, and stops what it started."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a part may take."""

    rounds: int
    seconds: float
    """Of each measurement."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a part writes into docs/performance.md."""

    text: str
    """Markdown."""
    charts: Mapping[str, str]
    """SVG by file name; they lie in docs/performance/."""


class Part(Protocol):
    """A module of its own for each; `benchmarks/__main__.py` lists them."""

    @property
    def name(self) -> str:
        """Of its file of results, and of its place in the document."""
        ...

    def effort(self, *, quick: bool) -> Effort: ...

    def cases(
        self, directory: Path, effort: Effort, say: Callable[[str], None]
    ) -> AbstractContextManager[Sequence[Case]]:
        """What is measured, while the context is open; `directory` is for files, and is removed afterwards.

        :raises NotMeasurableError: something is missing here; the text says what.
        """
        ...

    def page(self, rounds: Sequence[Round]) -> Page:
        """The report of what was measured, in at least one round."""
        ...


class NotMeasurableError(RuntimeError):
    """Nothing can be measured here; the text says what to do."""


def measure(cases: Sequence[Case], rounds: int, say: Callable[[str], None]) -> list[Round]:
    """Every case once in each round."""
    return [_round(cases, f"round {number} of {rounds}", say) for number in range(1, rounds + 1)]


def _round(cases: Sequence[Case], label: str, say: Callable[[str], None]) -> Round:
    measured = {}
    for case in random.sample(cases, len(cases)):
        say(f"{label}: {case.name}")
        measured[case.name] = case.measure()
    return {case.name: measured[case.name] for case in cases}
