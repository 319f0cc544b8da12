"""The cases of part `rpc`: each implementation as a pair of processes on one broker of our own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.frame import Case, Effort, Measured, NotMeasurableError
from benchmarks.rpc.implementations import IMPLEMENTATIONS, LIMIT
from benchmarks.rpc.limit import NotBuiltError, build_limit
from benchmarks.rpc.page import SCENARIOS, page
from benchmarks.rpc.pair import Command, Pair
from scripts.brokers import own_broker
from scripts.private_broker import BrokerError, PrivateBroker

__all__ = ["cases", "effort", "name", "page"]

_WARM_UP: Final = 0.7
"""Seconds, with the most calls outstanding: connections and pools are made in them."""

name = "rpc"


def effort(*, quick: bool) -> Effort:
    return Effort(rounds=1, seconds=0.8) if quick else Effort(rounds=5, seconds=1.3)


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    broker = _broker(directory / "broker", say)
    try:
        assert broker.process
        pair = partial(Pair, url=broker.url, broker=broker.process.pid, directory=directory)
        yield [
            Case(label, partial(_measure, partial(pair, label, server, client), effort.seconds))
            for label, server, client in _commands(directory, say)
        ]
    finally:
        broker.stop()


def _broker(directory: Path, say: Callable[[str], None]) -> PrivateBroker:
    try:
        broker = own_broker(directory, say)
    except BrokerError as error:
        raise NotMeasurableError(str(error)) from error
    if not isinstance(broker, PrivateBroker):
        raise NotMeasurableError("The broker's CPU time is measured, so it must run here: install rabbitmq-server.")
    return broker


def _commands(directory: Path, say: Callable[[str], None]) -> Iterator[tuple[str, Command, Command]]:
    for each in IMPLEMENTATIONS:
        yield each.name, each.command("server"), each.command("client")
    try:
        program = build_limit(directory, say)
    except NotBuiltError as error:
        say(f"the C client is left out: {error}")
    else:
        yield LIMIT, [program, "server"], [program, "client"]


def _measure(pair: Callable[[], Pair], seconds: float) -> Measured:
    with pair() as running:
        running.ask(max(SCENARIOS.values()), _WARM_UP)
        return {scenario: running.ask(outstanding, seconds) for scenario, outstanding in SCENARIOS.items()}
