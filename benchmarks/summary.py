"""Figures of several rounds made one: medians, and ratios that are taken within each round."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.frame import Round


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two cases: the median over the rounds, and the range that it lay in."""

    middle: float
    low: float
    high: float


def middle(rounds: Sequence[Round], case: str, scenario: str, figure: str) -> float:
    """The median over the rounds."""
    return median(each[case][scenario][figure] for each in rounds)


def ratio(rounds: Sequence[Round], over: str, under: str, scenario: str, figure: str) -> Ratio:
    """`over` divided by `under`, round by round.

    :raises ZeroDivisionError: `under` is zero in a round.
    """
    ratios = [each[over][scenario][figure] / each[under][scenario][figure] for each in rounds]
    return Ratio(median(ratios), min(ratios), max(ratios))
