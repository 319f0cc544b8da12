from benchmarks.end_to_end.figures import summaries
from benchmarks.end_to_end.load import Load
from benchmarks.end_to_end.measuring import Outcome


def outcome(variant: str, per_second: float, p99_ms: float = 1.0) -> Outcome:
    return Outcome(variant, Load({"200": 1}, 0, per_second, 1.0, p99_ms), {"api": per_second / 100})


def test_ratios_are_taken_within_rounds_and_then_their_median() -> None:
    ours, other = summaries(
        [
            *(outcome("ours", 100, 9), outcome("other", 50)),
            *(outcome("ours", 1000, 1), outcome("other", 100)),
            *(outcome("ours", 30, 2), outcome("other", 10)),
        ]
    )
    assert (ours.variant, ours.per_second, ours.p99_ms, ours.first_to_this) == ("ours", 100, 2, 1)
    assert (other.variant, other.per_second, other.first_to_this) == ("other", 50, 3)
    assert ours.cpu_ms == {"api": 1.0}


def test_a_variant_that_answered_nothing_has_no_ratio() -> None:
    assert summaries([outcome("ours", 100), outcome("other", 0)])[1].first_to_this == 0
