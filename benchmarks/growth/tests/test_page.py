from benchmarks.frame import Figures
from benchmarks.growth.page import LONG, POSTGRES, SHORT, SQLITE, label, page


def a_round(times: dict[str, float]) -> dict[str, dict[str, Figures]]:
    scenarios = ("stats", "first page", "deep page", "stock")
    return {case: {scenario: {"p50_ms": ms} for scenario in scenarios} for case, ms in times.items()}


def test_each_history_is_compared_with_the_shortest_on_the_same_database() -> None:
    short, long, other = label(POSTGRES, 10**3), label(POSTGRES, 10**7), label(SQLITE, 10**3)
    rounds = [a_round({short: 4, long: 5, other: 40}), a_round({short: 4, long: 6, other: 40})]
    rows = page(rounds).text.splitlines()[2:]
    assert rows[0] == "| PostgreSQL, 1,000 rows | 4 | 4 | 4 | 4 |"
    assert rows[1].startswith("| PostgreSQL, 10,000,000 rows | 5.5, 1.38 (1.25-1.50) |")
    assert rows[2] == "| SQLite, 1,000 rows | 40 | 40 | 40 | 40 |"


def test_an_export_is_compared_with_a_short_one_by_the_same_process() -> None:
    short, long = label(POSTGRES, 10**3), label(POSTGRES, 10**7)
    first, second = (a_round({short: 4, long: 5}) for _ in range(2))
    first[long] |= {
        SHORT: {"rows": 1_000, "seconds": 0.05, "peak_bytes": 100e6},
        LONG: {"rows": 1_000_040, "seconds": 20, "peak_bytes": 104e6},
    }
    last = page([first, second]).text.splitlines()[-1]
    assert last == "| PostgreSQL, 10,000,000 rows | 1,000,040 | 20 | 50,002 | 104 | 100 | 1.04 |"
