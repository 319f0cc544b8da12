"""What the RPC core promises, as test bodies that run on every transport: in memory and over a real broker."""

import threading
from concurrent.futures import Future, wait
from typing import Any, Protocol

import pytest

from amqp_rpc import (
    CallTimeoutError,
    ClientClosedError,
    NoServerError,
    OverloadedError,
    RemoteError,
    Request,
    RpcClient,
    RpcServer,
)
from amqp_rpc.server import MAX_BODY, Handler
from service_kit.deadline import Deadline
from tests.callers import callers
from tests.waiting import SOON, elapsed, eventually


class Harness(Protocol):
    """Makes clients and servers of one fresh queue, and breaks what is between them."""

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient: ...

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        """A server that consumes already when this returns."""
        ...

    def cut(self) -> None:
        """Cut the clients' connections; the way to new ones stays open."""
        ...

    def waiting(self) -> int:
        """How many requests are in the queue, neither taken by a server nor expired."""
        ...


def echo(request: Request) -> bytes:
    return request.body


class Gate:
    """A handler that answers only after `open`; `entered` counts the calls inside."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.bodies: list[bytes] = []

    def __call__(self, request: Request) -> bytes:
        self.bodies.append(request.body)
        self.entered.release()
        self._opened.wait(SOON * 2)
        return request.body

    def open(self) -> None:
        self._opened.set()

    def wait_for(self, calls: int) -> None:
        for _ in range(calls):
            assert self.entered.acquire(timeout=SOON)


class RpcSuite:
    """Mixed into one test class per transport, which gives the `harness` fixture."""

    def call(self, client: RpcClient, body: bytes = b"ping", seconds: float = SOON) -> bytes:
        return client.call(body, deadline=Deadline.after(seconds))

    def test_a_call_returns_the_body_of_its_reply(self, harness: Harness) -> None:
        harness.server(echo)
        assert self.call(harness.client(), b"\x00any payload\xff") == b"\x00any payload\xff"

    def test_64_concurrent_callers_each_get_their_own_answer(self, harness: Harness) -> None:
        harness.server(echo)
        client = harness.client()
        bodies = [f"caller-{number}".encode() for number in range(64)]
        with callers(64) as pool:
            for _ in range(5):
                assert list(pool.map(lambda body: self.call(client, body), bodies)) == bodies

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

        def call() -> None:
            with pytest.raises(CallTimeoutError):
                self.call(client, seconds=0.3)

        assert 0.3 <= elapsed(call) < 1.0
        assert client.in_flight == 0
        gate.open()

    def test_1000_timed_out_calls_leave_nothing_behind(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate, workers=2)
        client = harness.client()
        threads_before = threading.active_count()

        def time_out(_: int) -> None:
            with pytest.raises(CallTimeoutError):
                self.call(client, seconds=0.05)

        with pytest.raises(CallTimeoutError):
            self.call(client, seconds=1.0)  # connecting may take longer than the calls below have
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
            self.call(client, b"late", seconds=0.2)
        gate.open()
        assert self.call(client, b"next") == b"next"

    def test_a_request_that_expires_in_the_queue_never_reaches_the_handler(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate, workers=1)
        client = harness.client()
        with callers() as pool:
            first = pool.submit(self.call, client, b"first")
            gate.wait_for(1)
            with pytest.raises(CallTimeoutError):
                self.call(client, b"expires", seconds=0.2)
            # A broker counts the same time from when the request arrives, which is a little later.
            eventually(lambda: harness.waiting() == 0, within=1.0)
            gate.open()
            assert first.result(SOON) == b"first"
        assert self.call(client, b"third") == b"third"
        assert gate.bodies == [b"first", b"third"]

    def test_a_failing_handler_is_told_to_its_caller_and_the_server_lives_on(self, harness: Harness) -> None:
        def fail_once(request: Request) -> bytes:
            if request.body == b"bad":
                raise ZeroDivisionError
            return request.body

        harness.server(fail_once, workers=1)
        client = harness.client()
        with pytest.raises(RemoteError):
            self.call(client, b"bad")
        assert self.call(client, b"good") == b"good"

    def test_a_handler_that_returns_no_bytes_has_failed(self, harness: Harness) -> None:
        def nothing(request: Request) -> Any:
            return None if request.body == b"bad" else request.body

        harness.server(nothing, workers=1)
        client = harness.client()
        with pytest.raises(RemoteError):
            self.call(client, b"bad")
        assert self.call(client, b"good") == b"good"

    def test_a_body_that_is_too_large_is_refused(self, harness: Harness) -> None:
        harness.server(echo)
        with pytest.raises(RemoteError):
            self.call(harness.client(), b"x" * (MAX_BODY + 1))

    def test_more_calls_than_the_limit_are_refused_at_once(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client(max_in_flight=2)
        with callers(2) as pool:
            allowed = [pool.submit(self.call, client) for _ in range(2)]
            gate.wait_for(2)

            def refused() -> None:
                with pytest.raises(OverloadedError):
                    self.call(client)

            assert elapsed(refused) < 0.1
            gate.open()
            assert not wait(allowed, SOON).not_done

    def test_a_queue_that_does_not_exist_is_said_at_once(self, harness: Harness) -> None:
        client = harness.client()

        def call() -> None:
            with pytest.raises(NoServerError):
                self.call(client)

        call()  # connects
        assert elapsed(call) < 0.1

    def test_a_deserted_queue_is_said_after_the_grace_and_then_at_once(self, harness: Harness) -> None:
        harness.server(echo).drain(SOON)
        client = harness.client(grace=0.5)

        def call() -> None:
            with pytest.raises(NoServerError):
                self.call(client)

        assert 0.5 <= elapsed(call) < 2.5  # it is looked at once a second
        assert elapsed(call) < 0.1

    def test_a_server_that_is_back_within_the_grace_costs_nobody_an_answer(self, harness: Harness) -> None:
        client = harness.client()
        first = harness.server(echo)
        assert self.call(client, b"before") == b"before"
        first.drain(SOON)
        with callers(4) as pool:
            during = [pool.submit(self.call, client, b"during") for _ in range(4)]
            eventually(lambda: client.in_flight == 4)
            harness.server(echo)
            assert [call.result(SOON) for call in during] == [b"during"] * 4

    def test_calls_go_through_soon_after_a_server_is_back(self, harness: Harness) -> None:
        harness.server(echo).drain(SOON)
        client = harness.client(grace=0.0)
        with pytest.raises(NoServerError):
            self.call(client)
        harness.server(echo)

        def served() -> bool:
            try:
                return self.call(client) == b"ping"
            except NoServerError:
                return False

        eventually(served, within=2.0)

    def test_a_draining_server_answers_what_it_has_taken(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate, workers=8)
        client = harness.client()
        with callers(9) as pool:
            running = [pool.submit(self.call, client, str(number).encode()) for number in range(8)]
            gate.wait_for(8)
            drained = pool.submit(server.drain, SOON)
            with pytest.raises(TimeoutError):
                drained.result(0.3)  # it waits for the calls in hand
            gate.open()
            assert [call.result(SOON) for call in running] == [str(number).encode() for number in range(8)]
            assert drained.result(SOON) is True

    def test_what_others_have_waiting_ends_no_call_that_a_draining_server_holds(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate, workers=1)
        holder, other = harness.client(grace=0.3), harness.client(grace=0.3)
        with callers(5) as pool:
            held = pool.submit(self.call, holder, b"held", SOON * 2)
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
            running = pool.submit(self.call, client, b"slow", SOON * 2)
            gate.wait_for(1)
            drained = pool.submit(server.drain, SOON)
            eventually(lambda: self.deserted(client))
            gate.open()
            assert running.result(SOON) == b"slow"
            assert drained.result(SOON) is True

    def deserted(self, client: RpcClient) -> bool:
        try:
            self.call(client, seconds=0.1)
        except NoServerError:
            return True
        except CallTimeoutError:
            return False
        return False

    def test_a_drain_that_takes_too_long_says_so(self, harness: Harness) -> None:
        gate = Gate()
        server = harness.server(gate)
        with callers() as pool:
            running: Future[bytes] = pool.submit(self.call, harness.client(grace=0.0), b"stuck", 1.0)
            gate.wait_for(1)
            assert server.drain(0.2) is False
            gate.open()
            with pytest.raises((CallTimeoutError, NoServerError)):
                running.result(SOON)

    def test_a_call_whose_connection_is_lost_is_sent_once_more(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        with callers() as pool:
            call = pool.submit(self.call, client, b"again", SOON * 2)
            gate.wait_for(1)
            harness.cut()
            gate.wait_for(1)
            gate.open()
            assert call.result(SOON) == b"again"
        assert gate.bodies == [b"again", b"again"]

    def test_closing_ends_waiting_calls_and_refuses_new_ones(self, harness: Harness) -> None:
        gate = Gate()
        harness.server(gate)
        client = harness.client()
        with callers() as pool:
            waiting = pool.submit(self.call, client)
            gate.wait_for(1)
            client.close()
            with pytest.raises(ClientClosedError):
                waiting.result(1.0)
        with pytest.raises(ClientClosedError):
            self.call(client)
        client.close()
        gate.open()
