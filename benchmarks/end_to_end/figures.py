"""Medians over the rounds, and ratios taken within them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.end_to_end.measuring import Outcome


@dataclass(frozen=True, slots=True)
class Summary:
    """A variant over all rounds: medians, and how many times its rate the first variant's is."""

    variant: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    first_to_this: float
    """The median of the ratios within each round: what slows a round down slows both."""


def summaries(outcomes: Sequence[Outcome]) -> list[Summary]:
    """One for each variant, in the order of their first rounds."""
    rounds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rounds.setdefault(outcome.variant, []).append(outcome)
    first = next(iter(rounds.values()), [])
    return [_summary(name, own, first) for name, own in rounds.items()]


def _summary(name: str, own: Sequence[Outcome], first: Sequence[Outcome]) -> Summary:
    pairs = zip(first, own, strict=True)
    return Summary(
        name,
        median(one.load.per_second for one in own),
        median(one.load.p50_ms for one in own),
        median(one.load.p99_ms for one in own),
        {part: median(one.cpu_ms[part] for one in own) for part in own[0].cpu_ms},
        median(a.load.per_second / b.load.per_second if b.load.per_second else 0.0 for a, b in pairs),
    )
