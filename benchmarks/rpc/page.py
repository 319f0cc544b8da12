"""What part `rpc` writes into docs/performance.md: a table for each scenario, the set-ups, and a chart."""

from collections.abc import Sequence
from typing import Final

from benchmarks.chart import Bar, bar_chart
from benchmarks.frame import Page, Round
from benchmarks.markdown import number, table
from benchmarks.rpc.implementations import IMPLEMENTATIONS, LIMIT, OURS
from benchmarks.summary import middle, ratio

SCENARIOS: Final = {"sequential": 1, "outstanding": 32}
"""Calls outstanding in each."""
CHART: Final = "rpc.svg"
_HEADINGS: Final = {"outstanding": "32 calls outstanding", "sequential": "One call after the other"}
_COLUMNS: Final = (
    "implementation",
    "calls/s",
    "ours over it (range)",
    "share of C",
    "p50 ms",
    "p99 ms",
    "CPU ms a call: client, server, broker",
    "MB: client, server",
)
_SETUP_OF_LIMIT: Final = (
    "librabbitmq on both sides, one thread each, every message acknowledged by itself; no confirms, nothing parsed"
)


def page(rounds: Sequence[Round]) -> Page:
    tables = [f"### {heading}\n\n{_table(rounds, scenario)}" for scenario, heading in _HEADINGS.items()]
    chart = f"![Calls per second with 32 outstanding](performance/{CHART})"
    return Page("\n\n".join([tables[0], chart, tables[1], _setups(rounds)]), {CHART: _chart(rounds)})


def _table(rounds: Sequence[Round], scenario: str) -> str:
    return table(_COLUMNS, [_row(rounds, name, scenario) for name in _by_rate(rounds, scenario)])


def _by_rate(rounds: Sequence[Round], scenario: str) -> list[str]:
    return sorted(rounds[0], key=lambda name: middle(rounds, name, scenario, "rate"))


def _row(rounds: Sequence[Round], name: str, scenario: str) -> list[str]:
    def figure(which: str) -> float:
        return middle(rounds, name, scenario, which)

    return [
        f"**{name}**" if name == OURS else name,
        f"{figure('rate'):,.0f}",
        "1" if name == OURS else _times(rounds, OURS, name, scenario),
        _share(rounds, name, scenario),
        number(figure("p50_ms")),
        number(figure("p99_ms")),
        ", ".join(number(figure(f"{side}_cpu_ms")) for side in ("client", "server", "broker")),
        ", ".join(f"{figure(f'{side}_bytes') / 1e6:.0f}" for side in ("client", "server")),
    ]


def _times(rounds: Sequence[Round], over: str, under: str, scenario: str) -> str:
    found = ratio(rounds, over, under, scenario, "rate")
    return f"{number(found.middle)} ({number(found.low)}-{number(found.high)})"


def _share(rounds: Sequence[Round], name: str, scenario: str) -> str:
    if LIMIT not in rounds[0]:
        return "not measured"
    return f"{ratio(rounds, name, LIMIT, scenario, 'rate').middle:.2f}"


def _setups(rounds: Sequence[Round]) -> str:
    setups = {each.name: each.setup for each in IMPLEMENTATIONS} | {LIMIT: _SETUP_OF_LIMIT}
    return "\n".join(["How each is set up:", "", *(f"* {name}: {setups[name]}." for name in rounds[0])])


def _chart(rounds: Sequence[Round]) -> str:
    bars = [
        Bar(name.replace("`", ""), middle(rounds, name, "outstanding", "rate"), ours=name == OURS)
        for name in _by_rate(rounds, "outstanding")
    ]
    return bar_chart("Calls per second, 32 outstanding", bars)
