"""How a call ends: with its own answer, with the server's error, in time, or refused."""

import threading
from concurrent.futures import wait
from typing import Any

import pytest

from amqp_rpc import CallTimeoutError, ClientClosedError, OverloadedError, RemoteError, Request
from amqp_rpc.server import MAX_BODY
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.rpc_suite.harness import Harness
from tests.rpc_suite.parts import Gate, call, echo, fails_in
from tests.waiting import SOON, eventually


class CallSuite:
    def test_a_call_returns_the_body_of_its_reply(self, harness: Harness) -> None:
        harness.server(echo)
        assert call(harness.client(), b"\x00any payload\xff") == b"\x00any payload\xff"

    def test_64_concurrent_callers_each_get_their_own_answer(self, harness: Harness) -> None:
        harness.server(echo)
        client = harness.client()
        bodies = [f"caller-{number}".encode() for number in range(64)]
        with callers(64) as pool:
            for _ in range(5):
                assert list(pool.map(lambda body: call(client, body), bodies)) == bodies

    def test_headers_and_the_remaining_budget_reach_the_handler(self, harness: Harness) -> None:
        seen: list[tuple[str, float]] = []

        def remember(request: Request) -> bytes:
            seen.append((request.headers["x-request-id"], request.deadline.remaining()))
            return b""

        harness.server(remember)
        harness.client().call(b"", deadline=Deadline.after(4.0), headers={"x-request-id": "r1"})
        assert seen[0][0] == "r1"
        assert 2.0 < seen[0][1] <= 4.0

    def test_a_call_without_an_answer_ends_at_its_deadline(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        assert 0.3 <= fails_in(client, CallTimeoutError, seconds=0.3) < 1.0
        assert client.in_flight == 0
        gate.open()

    def test_1000_timed_out_calls_leave_nothing_behind(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate, workers=2)
        client = harness.client()
        threads_before = threading.active_count()

        def time_out(_: int) -> None:
            with pytest.raises(CallTimeoutError):
                call(client, seconds=0.05)

        with pytest.raises(CallTimeoutError):
            call(client, seconds=1.0)  # connecting may take longer than the calls below have
        with callers(40) as pool:
            list(pool.map(time_out, range(1000)))
        assert client.in_flight == 0
        assert threading.active_count() <= threads_before + 1  # the in-memory transport may have begun to watch
        gate.open()

    def test_a_late_reply_is_nobodys(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        with pytest.raises(CallTimeoutError):
            call(client, b"late", seconds=0.2)
        gate.open()
        assert call(client, b"next") == b"next"

    def test_a_request_that_expires_in_the_queue_never_reaches_the_handler(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate, workers=1)
        client = harness.client()
        with callers() as pool:
            first = pool.submit(call, client, b"first")
            gate.wait_for(1)
            with pytest.raises(CallTimeoutError):
                call(client, b"expires", seconds=0.2)
            # A broker counts the same time from when the request arrives, which is a little later.
            eventually(lambda: harness.waiting() == 0, within=1.0)
            gate.open()
            assert first.result(SOON) == b"first"
        assert call(client, b"third") == b"third"
        assert gate.bodies == [b"first", b"third"]

    def test_a_failing_handler_is_told_to_its_caller_and_the_server_lives_on(self, harness: Harness) -> None:
        def fail_once(request: Request) -> bytes:
            if request.body == b"bad":
                raise ZeroDivisionError
            return request.body

        harness.server(fail_once, workers=1)
        client = harness.client()
        with pytest.raises(RemoteError):
            call(client, b"bad")
        assert call(client, b"good") == b"good"

    def test_a_handler_that_returns_no_bytes_has_failed(self, harness: Harness) -> None:
        def nothing(request: Request) -> Any:
            return None if request.body == b"bad" else request.body

        harness.server(nothing, workers=1)
        client = harness.client()
        with pytest.raises(RemoteError):
            call(client, b"bad")
        assert call(client, b"good") == b"good"

    def test_a_body_that_is_too_large_is_refused(self, harness: Harness) -> None:
        harness.server(echo)
        with pytest.raises(RemoteError):
            call(harness.client(), b"x" * (MAX_BODY + 1))

    def test_more_calls_than_the_limit_are_refused_at_once(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client(max_in_flight=2)
        with callers(2) as pool:
            allowed = [pool.submit(call, client) for _ in range(2)]
            gate.wait_for(2)
            assert fails_in(client, OverloadedError) < 0.1
            gate.open()
            assert not wait(allowed, SOON).not_done

    def test_a_call_whose_connection_is_lost_is_sent_once_more(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        with callers() as pool:
            again = pool.submit(call, client, b"again", SOON * 2)
            gate.wait_for(1)
            harness.cut()
            gate.wait_for(1)
            gate.open()
            assert again.result(SOON) == b"again"
        assert gate.bodies == [b"again", b"again"]

    def test_closing_ends_waiting_calls_and_refuses_new_ones(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        with callers() as pool:
            waiting = pool.submit(call, client)
            gate.wait_for(1)
            client.close()
            with pytest.raises(ClientClosedError):
                waiting.result(1.0)
        with pytest.raises(ClientClosedError):
            call(client)
        client.close()
        gate.open()
