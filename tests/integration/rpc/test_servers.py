"""A server that answers late, and one that cannot show that it lives."""

import pytest

from amqp_rpc import CallTimeoutError
from tests.integration.rpc.harness import RabbitHarness
from tests.rpc_suite.parts import Gate, call, echo, served
from tests.waiting import eventually


def test_a_frozen_server_costs_its_callers_their_deadline_only(harness: RabbitHarness) -> None:
    gate = Gate()
    harness.server(gate, workers=1)
    client = harness.client()
    with pytest.raises(CallTimeoutError):
        call(client, seconds=0.3)
    gate.open()
    eventually(lambda: served(client))


def test_a_sign_of_life_that_fails_is_not_the_last_one(harness: RabbitHarness) -> None:
    signs: list[int] = []

    def sign() -> None:
        signs.append(len(signs))
        if len(signs) == 1:
            raise OSError("disk full")

    harness.server_that_starts(echo, on_alive=sign)
    eventually(lambda: len(signs) >= 3, within=10.0)
