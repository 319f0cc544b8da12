"""A pair of the RPC benchmark measures on a real broker, and says why when it cannot."""

from pathlib import Path

import pytest

from benchmarks.frame import NotMeasurableError
from benchmarks.rpc.implementations import IMPLEMENTATIONS, OURS
from benchmarks.rpc.pair import Pair
from scripts.private_broker import PrivateBroker

(OUR_OWN,) = (each for each in IMPLEMENTATIONS if each.name == OURS)


def test_a_pair_measures_calls_and_what_they_cost(broker: PrivateBroker, tmp_path: Path) -> None:
    assert broker.process
    commands = OUR_OWN.command("server"), OUR_OWN.command("client")
    with Pair(OURS, *commands, url=broker.url, broker=broker.process.pid, directory=tmp_path) as pair:
        figures = pair.ask(4, 0.5)
    assert figures["rate"] > 10
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] < 5_000
    assert all(figures[f"{side}_cpu_ms"] > 0 for side in ("client", "server", "broker"))
    assert all(figures[f"{side}_bytes"] > 1e6 for side in ("client", "server"))


def test_a_program_that_ends_is_told_with_its_last_words(broker: PrivateBroker, tmp_path: Path) -> None:
    assert broker.process
    ends = ["sh", "-c", "echo it cannot >&2"]
    pair = Pair("other", ends, ends, url=broker.url, broker=broker.process.pid, directory=tmp_path)
    with pytest.raises(NotMeasurableError, match=r"other does not answer(.|\n)*it cannot"):
        pair.__enter__()
