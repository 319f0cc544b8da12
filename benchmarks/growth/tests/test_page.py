from benchmarks.frame import Round
from benchmarks.growth.page import POSTGRES, SQLITE, label, page


def a_round(times: dict[str, float]) -> Round:
    scenarios = ("stats", "first page", "deep page", "stock")
    return {case: {scenario: {"p50_ms": ms} for scenario in scenarios} for case, ms in times.items()}


def test_each_history_is_compared_with_the_shortest_on_the_same_database() -> None:
    short, long, other = label(POSTGRES, 10**3), label(POSTGRES, 10**7), label(SQLITE, 10**3)
    rounds = [a_round({short: 4, long: 5, other: 40}), a_round({short: 4, long: 6, other: 40})]
    rows = page(rounds).text.splitlines()[2:]
    assert rows[0] == "| PostgreSQL, 1,000 rows | 4 | 4 | 4 | 4 |"
    assert rows[1].startswith("| PostgreSQL, 10,000,000 rows | 5.5, 1.38 (1.25-1.50) |")
    assert rows[2] == "| SQLite, 1,000 rows | 40 | 40 | 40 | 40 |"
