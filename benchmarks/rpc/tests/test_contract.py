"""What the programs share: quantiles, and the check of a reply."""

import json

import pytest

from benchmarks.rpc.programs.contract import answer, check, percentile, question, report


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_of_a_hundred_values_is_that_value(percent: int, value: float) -> None:
    assert percentile(range(1, 101), percent) == value


def test_a_percentile_of_few_values_is_one_of_them() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert percentile([1.0, 2.0, 3.0], 99) == 3.0


def test_an_answer_passes_the_check_of_its_own_call_only() -> None:
    reply = json.loads(answer(question("A.US")))
    check(reply, "A.US")
    with pytest.raises(ValueError, match="wrong reply"):
        check(reply, "B.US")
    with pytest.raises(ValueError, match="wrong reply"):
        check({"symbol": "A.US"}, "A.US")


def test_a_report_is_one_line_of_json_in_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    report([0.004, 0.001, 0.002], 0.5)
    assert json.loads(capsys.readouterr().out) == {"calls": 3, "seconds": 0.5, "p50_ms": 2.0, "p99_ms": 4.0}
