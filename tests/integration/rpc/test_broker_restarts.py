"""The broker stops or dies under steady calls, and is back."""

import threading
import time
from collections.abc import Callable

import pytest

from amqp_rpc import RpcError
from scripts.brokers import Broker
from tests.callers import callers
from tests.integration.rpc.harness import RabbitHarness
from tests.rpc_suite.parts import call, echo
from tests.waiting import SOON, eventually


@pytest.mark.timeout(90)
@pytest.mark.parametrize("how", ["stop_app", "kill"])
def test_a_broker_restart_fails_calls_in_time_and_is_got_over(
    own_harness: RabbitHarness, broker: Broker, how: str
) -> None:
    own_harness.server(echo)
    client = own_harness.client()
    stop = threading.Event()
    outcomes: list[tuple[str, float]] = []

    def steady() -> None:
        while not stop.is_set():
            started = time.monotonic()
            outcomes.append((_outcome(lambda: call(client, seconds=2.0)), time.monotonic() - started))
            stop.wait(0.05)

    with callers(4) as pool:
        runs = [pool.submit(steady) for _ in range(4)]
        eventually(lambda: len(outcomes) > 20)
        _take_down(broker, how)
        eventually(lambda: outcomes[-1][0] == "BrokerUnavailableError", within=10.0)
        _bring_back(broker, how)
        back_at = time.monotonic()
        eventually(lambda: outcomes[-1][0] == "answered", within=10.0)
        recovered_in = time.monotonic() - back_at
        stop.set()
        for run in runs:
            run.result(SOON)
    assert recovered_in < 10.0
    assert max(seconds for _, seconds in outcomes) < 3.0
    allowed = {"answered", "BrokerUnavailableError", "ConnectionLostError", "CallTimeoutError", "NoServerError"}
    assert {name for name, _ in outcomes} <= allowed
    assert client.in_flight == 0


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except RpcError as error:
        return type(error).__name__
    return "answered"


def _take_down(broker: Broker, how: str) -> None:
    if how == "kill":
        broker.kill()
    else:
        broker.stop_app()


def _bring_back(broker: Broker, how: str) -> None:
    if how == "kill":
        broker.start()
    else:
        broker.start_app()
