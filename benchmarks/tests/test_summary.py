"""Medians and ratios over rounds."""

import pytest

from benchmarks.frame import Round
from benchmarks.summary import Ratio, middle, ratio


def rounds(ours: list[float], theirs: list[float]) -> list[Round]:
    return [
        {"ours": {"busy": {"rate": mine}}, "theirs": {"busy": {"rate": other}}}
        for mine, other in zip(ours, theirs, strict=True)
    ]


def test_one_round_that_was_disturbed_does_not_move_the_median() -> None:
    assert middle(rounds([100, 1, 110], [1, 1, 1]), "ours", "busy", "rate") == 100


def test_a_ratio_is_taken_within_each_round() -> None:
    """The machine was twice as slow in the second round, for both alike: the medians of each alone would give 3."""
    found = ratio(rounds([400, 200, 300], [100, 50, 150]), "ours", "theirs", "busy", "rate")
    assert found == Ratio(4.0, 2.0, 4.0)


def test_nothing_is_divided_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        ratio(rounds([1], [0]), "ours", "theirs", "busy", "rate")
