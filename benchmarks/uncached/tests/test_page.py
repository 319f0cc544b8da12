from benchmarks.frame import Round
from benchmarks.uncached.page import over_least, page


def a_round(rates: dict[str, float]) -> Round:
    burst = {"all_ms": 480.0, "p50_ms": 300.0, "cached_all_ms": 40.0, "not_ok": 0, "upstream_calls": 32}
    one = {"all_ms": 900.0, "not_ok": 3, "upstream_calls": 1}
    return {label: {"burst": burst, "flow": {"rate": rate, "not_ok": 0}, "one": one} for label, rate in rates.items()}


def test_each_row_says_how_long_it_took_and_how_much_more_it_does() -> None:
    text = page([a_round({"1 x 16": 80, "2 x 16": 152}), a_round({"1 x 16": 80, "2 x 16": 160})]).text
    assert text.splitlines()[2:] == [
        "| 1 x 16 | 480 | 2 | 40 | 80 | 1 (1-1) | 1, 3, 900 |",
        "| 2 x 16 | 480 | 2 | 40 | 156 | 1.9 (1.9-2) | 1, 3, 900 |",
    ]


def test_the_least_is_one_answer_of_the_provider_and_the_rest_of_the_way() -> None:
    assert over_least(480, 40) == 2.0
