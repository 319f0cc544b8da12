"""What callers notice of servers that are not there, come back, or drain."""

from concurrent.futures import Future, wait

import pytest

from amqp_rpc import CallTimeoutError, NoServerError, RpcClient
from tests.callers import callers
from tests.rpc_suite.harness import Harness
from tests.rpc_suite.parts import Gate, call, echo, fails_in
from tests.waiting import SOON, eventually


class ServerSuite:
    def test_a_queue_that_does_not_exist_is_said_at_once(self, harness: Harness) -> None:
        client = harness.client()
        fails_in(client, NoServerError)  # connects
        assert fails_in(client, NoServerError) < 0.1

    def test_a_deserted_queue_is_said_after_the_grace_and_then_at_once(self, harness: Harness) -> None:
        harness.server(echo).drain(SOON)
        client = harness.client(grace=0.5)
        assert 0.5 <= fails_in(client, NoServerError) < 2.5  # it is looked at once a second
        assert fails_in(client, NoServerError) < 0.1

    def test_a_server_that_is_back_within_the_grace_costs_nobody_an_answer(self, harness: Harness) -> None:
        client = harness.client()
        first = harness.server(echo)
        assert call(client, b"before") == b"before"
        first.drain(SOON)
        with callers(4) as pool:
            during = [pool.submit(call, client, b"during") for _ in range(4)]
            eventually(lambda: client.in_flight == 4)
            harness.server(echo)
            assert [each.result(SOON) for each in during] == [b"during"] * 4

    def test_calls_go_through_soon_after_a_server_is_back(self, harness: Harness) -> None:
        harness.server(echo).drain(SOON)
        client = harness.client(grace=0.0)
        with pytest.raises(NoServerError):
            call(client)
        harness.server(echo)

        def served() -> bool:
            try:
                return call(client) == b"ping"
            except NoServerError:
                return False

        eventually(served, within=2.0)

    def test_a_draining_server_answers_what_it_has_taken(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate, workers=8)
        client = harness.client()
        with callers(9) as pool:
            running = [pool.submit(call, client, str(number).encode()) for number in range(8)]
            gate.wait_for(8)
            drained = pool.submit(server.drain, SOON)
            with pytest.raises(TimeoutError):
                drained.result(0.3)  # it waits for the calls in hand
            gate.open()
            assert [each.result(SOON) for each in running] == [str(number).encode() for number in range(8)]
            assert drained.result(SOON) is True

    def test_what_others_have_waiting_ends_no_call_that_a_draining_server_holds(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate, workers=1)
        holder, other = harness.client(grace=0.3), harness.client(grace=0.3)
        with callers(5) as pool:
            held = pool.submit(call, holder, b"held", SOON * 2)
            gate.wait_for(1)
            drained = pool.submit(server.drain, SOON * 2)
            eventually(lambda: self.deserted(holder))
            waiting = [pool.submit(self.deserted, other) for _ in range(3)]
            wait(waiting, SOON)
            eventually(lambda: self.deserted(other))
            gate.open()
            assert held.result(SOON) == b"held"
            assert drained.result(SOON) is True

    def test_a_drain_that_outlasts_the_grace_loses_no_answer(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate)
        client = harness.client(grace=0.2)
        with callers(2) as pool:
            running = pool.submit(call, client, b"slow", SOON * 2)
            gate.wait_for(1)
            drained = pool.submit(server.drain, SOON)
            eventually(lambda: self.deserted(client))
            gate.open()
            assert running.result(SOON) == b"slow"
            assert drained.result(SOON) is True

    def deserted(self, client: RpcClient) -> bool:
        try:
            call(client, seconds=0.1)
        except NoServerError:
            return True
        except CallTimeoutError:
            return False
        return False

    def test_a_drain_that_takes_too_long_says_so(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate)
        with callers() as pool:
            running: Future[bytes] = pool.submit(call, harness.client(grace=0.0), b"stuck", 1.0)
            gate.wait_for(1)
            assert server.drain(0.2) is False
            gate.open()
            with pytest.raises((CallTimeoutError, NoServerError)):
                running.result(SOON)
