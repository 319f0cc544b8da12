"""The report on RPC: who is listed, in which order, and compared how."""

from benchmarks.frame import Round
from benchmarks.rpc.implementations import LIMIT, OURS
from benchmarks.rpc.page import CHART, page


def a_round(**rates: float) -> Round:
    def figures(rate: float) -> dict[str, float]:
        cpu = {f"{side}_cpu_ms": 0.25 for side in ("client", "server", "broker")}
        return {"rate": rate, "p50_ms": 1.0, "p99_ms": 2.0, **cpu, "client_bytes": 2e7, "server_bytes": 1e7}

    return {name: {"sequential": figures(1.0), "outstanding": figures(rate)} for name, rate in rates.items()}


def rows(text: str) -> list[list[str]]:
    table = text.split("\n\n")[1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_each_row_says_how_much_more_ours_does_and_its_share_of_the_limit() -> None:
    rounds = [
        a_round(**{OURS: 4000, "nameko": 500, LIMIT: 16000}),
        a_round(**{OURS: 5000, "nameko": 500, LIMIT: 20000}),
    ]
    slow, ours, limit = rows(page(rounds).text)
    assert slow == ["nameko", "500", "9 (8-10)", "0.03", "1", "2", "0.25, 0.25, 0.25", "20, 10"]
    assert ours[:4] == [f"**{OURS}**", "4,500", "1", "0.25"]
    assert limit[:4] == [LIMIT, "18,000", "0.25 (0.25-0.25)", "1.00"]


def test_without_the_limit_no_share_is_told() -> None:
    (slow, _) = rows(page([a_round(**{OURS: 4000, "nameko": 500})]).text)
    assert slow[3] == "not measured"


def test_the_chart_has_a_bar_for_each() -> None:
    chart = page([a_round(**{OURS: 4000, "nameko": 500, LIMIT: 16000})]).charts[CHART]
    assert chart.count("<rect") == 3
    assert chart.count('class="bar ours"') == 1


def test_every_one_that_is_measured_has_its_set_up_told() -> None:
    text = page([a_round(**{OURS: 4000, "nameko": 500, LIMIT: 16000})]).text
    setups = text.split("How each is set up:")[1]
    assert [f"* {name}:" in setups for name in (OURS, "nameko", LIMIT, "tutorial client")] == [True, True, True, False]
