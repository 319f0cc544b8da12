"""Lanes run at the same time, keep their lines apart, and one that fails fails all."""

import os
from pathlib import Path

import pytest

from scripts import lanes


def test_lanes_run_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each waits for the other: one after the other they would never end."""
    here, there = tmp_path / "here", tmp_path / "there"
    os.mkfifo(here)
    os.mkfifo(there)
    one = f"echo from one > {here}; cat {there}"
    other = f"cat {here}; echo from other > {there}"
    assert lanes.main([f"one={one}", f"other={other}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert {"one   | from other", "other | from one"} < set(said)
    assert [line.rpartition(" after ")[0] for line in said[-2:]] == ["one: passed", "other: passed"]


def test_one_that_fails_stops_no_other_and_fails_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.main(["bad=echo dying >&2; exit 3", "good=echo fine"]) == 1
    said = capsys.readouterr().out
    assert "bad  | dying\n" in said
    assert "good | fine\n" in said
    assert said.endswith("bad: failed (exit code 3) after 0 s\ngood: passed after 0 s\n")


def test_the_last_lines_of_one_that_fails_come_again_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """One that fails early is otherwise hidden by all that the others say after it."""
    assert lanes.main([f"bad=seq 1 {lanes.SAID_AGAIN + 1}; false", "good=echo fine"]) == 1
    *_, again, verdicts = capsys.readouterr().out.split("\n\n")
    assert again.splitlines() == [f"bad  | {number}" for number in range(2, lanes.SAID_AGAIN + 2)]
    assert verdicts.startswith("bad: failed")


@pytest.mark.parametrize("arguments", [[], ["make lint"], ["one=true", "make types"]])
def test_without_lanes_it_says_what_to_give(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.main(arguments) == 2
    assert "one='make lint'" in capsys.readouterr().err
