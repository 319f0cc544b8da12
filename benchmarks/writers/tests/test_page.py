from benchmarks.writers.page import CASES, page


def test_each_case_is_compared_with_a_stock_for_each_writer() -> None:
    rates = dict(zip(CASES, (1000, 900, 250), strict=True))
    text = page([{case: {"saving": {"rate": float(rate)}} for case, rate in rates.items()}]).text
    assert text.splitlines()[2:] == [
        "| 16 symbols | 1,000 | 1.00 (1.00-1.00) |",
        "| one symbol | 900 | 0.90 (0.90-0.90) |",
        "| one symbol with one counter | 250 | 0.25 (0.25-0.25) |",
    ]
