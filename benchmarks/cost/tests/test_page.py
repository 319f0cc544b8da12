from benchmarks.cost.page import CASE, growth, page


def test_growth_is_what_came_since_the_first_calls() -> None:
    assert growth(200e6, 203e6) == "+1.5 %"
    assert growth(200e6, 199e6) == "-0.5 %"


def test_the_report_has_a_row_for_each_service_and_the_connections() -> None:
    def both(unit: str, api: float, worker: float) -> dict[str, float]:
        return {f"api_{unit}": api, f"worker_{unit}": worker}

    measured = {
        "start": both("s", 1.2, 0.8),
        "fresh": both("bytes", 150e6, 50e6),
        "warm": both("bytes", 200e6, 60e6),
        "after": both("bytes", 202e6, 60e6),
        "calls": {
            "calls": 5000,
            "rate": 900,
            "broker_cpu_ms": 0.1,
            "database_cpu_ms": 0.4,
            **both("cpu_ms", 1.5, 0.25),
        },
        "idle": both("percent", 0.2, 0.1),
        "connections": {"broker": 3, "database": 32},
    }
    text = page([{CASE: measured}]).text
    assert "| API (a master and 2 processes) | 1.2 | 150, 200, 202 (+1.0 %) | 1.5 | 0.2 |" in text
    assert "| stock service | 0.8 | 50, 60, 60 (+0.0 %) | 0.25 | 0.1 |" in text
    assert "5,000 calls. The broker takes 0.1 ms of CPU a call, the database 0.4." in text
    assert "to the broker: 3," in text
