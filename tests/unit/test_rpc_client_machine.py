"""The RPC client against a model of what it promises, through any order of calls, replies, losses and passing time.

The model says for each call at each moment whether it still waits or what it must have ended in; so a call that ends
twice, late, with another's content or not at all is found.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from amqp_rpc import RpcClient
from amqp_rpc.errors import (
    BrokerUnavailableError,
    CallTimeoutError,
    ClientClosedError,
    ConnectionLostError,
    NoServerError,
    OverloadedError,
    RemoteError,
    RpcError,
)
from amqp_rpc.messages import Call, QueueState, Reply
from amqp_rpc.transport import ClientListener
from service_kit.deadline import Deadline
from tests.virtual_time import VirtualTime

LIMIT = 4
GRACE = 3.0
PATIENCE = {1: 0.8, 2: 2.0}  # by attempt
LINGER = 60.0

Outcome = bytes | type[RpcError]


class ScriptedTransport:
    """Keeps what is published; the machine plays the broker."""

    def __init__(self) -> None:
        self.published: list[Call] = []
        self.closed = 0

    def start(self, listener: ClientListener) -> None:
        pass

    def publish(self, call: Call) -> None:
        self.published.append(call)

    def close(self) -> None:
        self.closed += 1


@dataclass(eq=False)
class Modelled:
    """A call as it should be."""

    body: bytes
    deadline: float
    attempts: int = 0
    waits_for_connection_until: float | None = None
    created_at: float = 0.0
    id: str | None = None
    due: Outcome | None = None
    ended: list[Outcome] = field(default_factory=list)

    @property
    def waiting(self) -> bool:
        return self.due is None and self.waits_for_connection_until is None


class ClientMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.time = VirtualTime()
        self.patches = ExitStack()
        self.patches.enter_context(self.time.in_the_client())
        self.transport = ScriptedTransport()
        self.client = RpcClient(self.transport, grace=GRACE, max_in_flight=LIMIT)
        self.state = "connecting"
        self.blocked = False
        self.absent_since: float | None = None
        self.deserted = False
        self.last_call = float("-inf")
        self.calls: list[Modelled] = []
        self.old_ids: list[str] = []
        self.orphans = 0
        self.to_publish: list[Modelled] = []

    # What happens.

    @precondition(lambda self: self.state == "up" or len(self.live()) < LIMIT)
    @rule(seconds=st.sampled_from([0.25, 4.0, 8.0]))
    def call(self, seconds: float) -> None:
        call = Modelled(f"body {len(self.calls)}".encode(), self.time.now + seconds)
        self.calls.append(call)
        self.attempt(call)
        self.time.start(lambda: call.ended.append(self.outcome_of(call, seconds)))
        self.time.settle()

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), failed=st.booleans())
    def reply(self, data: st.DataObject, *, failed: bool) -> None:
        call = self.one_of(data, self.waiting())
        answer = Reply(self.id_of(call), b"" if failed else b"answer to " + call.body, failed)
        self.end(call, RemoteError if failed else answer.body)
        self.happen(lambda: self.client.on_reply(answer))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def nack(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.waiting())
        call_id = self.id_of(call)
        self.end(call, OverloadedError)
        self.happen(lambda: self.client.on_nacked(call_id))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def return_(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.waiting())
        call_id = self.id_of(call)
        self.end(call, NoServerError)
        self.happen(lambda: self.client.on_returned(call_id))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.waiting())
        call_id = self.id_of(call)
        self.lose(call)
        self.happen(lambda: self.client.on_dropped(call_id))

    @precondition(lambda self: self.old_ids)
    @rule(data=st.data())
    def speak_of_an_ended_attempt(self, data: st.DataObject) -> None:
        """A late or doubled reply, or whatever else: nobody's business any more."""
        old = data.draw(st.sampled_from(self.old_ids))
        report = data.draw(st.sampled_from(["reply", "nack", "return", "drop"]))
        self.happen(lambda: self.report(report, old))

    @rule(unknown=st.text(max_size=40), report=st.sampled_from(["reply", "nack", "return", "drop"]))
    def speak_of_an_unknown_id(self, unknown: str, report: str) -> None:
        self.happen(lambda: self.report(report, unknown))

    @precondition(lambda self: self.state in {"connecting", "down"})
    @rule()
    def connect(self) -> None:
        self.state, self.blocked, self.absent_since, self.deserted = "up", False, None, False
        for call in self.live():
            self.admitted(call)
        self.happen(self.client.on_connected)

    @precondition(lambda self: self.state != "closed")
    @rule()
    def lose_or_fail_to_get_a_connection(self) -> None:
        self.state = "connecting" if self.state == "up" else "down"
        for call in self.live():
            if call.waiting:
                self.lose(call)
            elif self.state == "down":
                self.end(call, BrokerUnavailableError)
        self.happen(self.client.on_disconnected)

    @precondition(lambda self: self.state == "up")
    @rule(blocked=st.booleans())
    def block(self, *, blocked: bool) -> None:
        self.blocked = blocked
        self.happen(lambda: self.client.on_blocked(blocked=blocked))

    @precondition(lambda self: self.state == "up")
    @rule(consumers=st.integers(0, 1), age=st.sampled_from([0.0, 0.5]))
    def count_consumers(self, consumers: int, age: float) -> None:
        asked_at = self.time.now - age
        if consumers:
            self.absent_since, self.deserted = None, False
        else:
            self.absent_since = asked_at if self.absent_since is None else self.absent_since
            self.deserted = self.time.now - self.absent_since >= GRACE
        for call in self.waiting():
            if self.deserted and self.absent_since is not None and call.created_at >= self.absent_since:
                self.end(call, NoServerError)
        self.happen(lambda: self.client.on_queue_seen(QueueState(asked_at, consumers)))

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        now = self.time.now + seconds
        for call in self.live():
            if call.waiting and now >= call.deadline:
                self.end(call, CallTimeoutError)
            elif call.waits_for_connection_until is not None and now >= call.waits_for_connection_until:
                self.end(call, BrokerUnavailableError)
        self.time.pass_by(seconds)

    @precondition(lambda self: self.state == "up")
    @rule()
    def nobody_serves_for_the_grace(self) -> None:
        """What single steps would make too seldom."""
        self.count_consumers(consumers=0, age=0.0)
        self.time_passes(seconds=GRACE)
        self.count_consumers(consumers=0, age=0.0)

    @precondition(lambda self: len(self.calls) > 2)
    @rule()
    def close(self) -> None:
        self.state = "closed"
        for call in self.live():
            self.end(call, ClientClosedError)
        self.happen(self.client.close)

    # What must hold after each of them.

    @invariant()
    def each_call_has_ended_exactly_once_and_as_it_should_or_still_waits(self) -> None:
        assert [call.ended for call in self.calls] == [[] if call.due is None else [call.due] for call in self.calls]

    @invariant()
    def what_should_be_published_is_and_nothing_else(self) -> None:
        assert sorted(call.body for call in self.transport.published) == sorted(call.body for call in self.to_publish)
        for published in self.transport.published:
            call = next(each for each in self.to_publish if each.body == published.body)
            assert published.deadline.at == call.deadline
            assert published.deadline.at > self.time.now or call.due is not None
            assert published.correlation_id not in {*self.old_ids, *(each.id for each in self.calls)}
            if call.due is None:
                call.id = published.correlation_id
            else:
                self.old_ids.append(published.correlation_id)
        self.transport.published.clear()
        self.to_publish.clear()

    @invariant()
    def replies_to_nobody_are_counted_and_nothing_else_is(self) -> None:
        assert self.client.orphan_replies == self.orphans

    @invariant()
    def the_table_holds_the_waiting_calls_and_no_others(self) -> None:
        assert self.client.in_flight == len(self.waiting())
        expected = bool(self.waiting()) or self.deserted or self.time.now - self.last_call < LINGER
        assert self.client.wants_to_see_queue() is expected

    def teardown(self) -> None:
        self.close()
        self.each_call_has_ended_exactly_once_and_as_it_should_or_still_waits()
        self.patches.close()
        assert self.client.in_flight == 0
        assert self.transport.closed > 0

    # The model.

    def attempt(self, call: Modelled) -> None:
        call.attempts += 1
        if self.state == "up":
            self.admitted(call)
        elif self.state == "connecting":
            call.waits_for_connection_until = min(call.deadline, self.time.now + PATIENCE[call.attempts])
        else:
            self.end(call, ClientClosedError if self.state == "closed" else BrokerUnavailableError)

    def admitted(self, call: Modelled) -> None:
        in_flight = len([each for each in self.waiting() if each is not call])
        call.waits_for_connection_until = None
        if self.blocked:
            self.end(call, BrokerUnavailableError)
        elif self.deserted:
            self.end(call, NoServerError)
        elif in_flight >= LIMIT:
            self.end(call, OverloadedError)
        else:
            call.created_at = self.last_call = self.time.now
            self.to_publish.append(call)

    def lose(self, call: Modelled) -> None:
        self.forget_id(call)
        if call.attempts == 1:
            self.attempt(call)
        else:
            self.end(call, ConnectionLostError)

    def end(self, call: Modelled, outcome: Outcome) -> None:
        self.forget_id(call)
        call.due = outcome
        call.waits_for_connection_until = None

    def forget_id(self, call: Modelled) -> None:
        if call.id is not None:
            self.old_ids.append(call.id)
            call.id = None

    def live(self) -> list[Modelled]:
        return [call for call in self.calls if call.due is None]

    def waiting(self) -> list[Modelled]:
        return [call for call in self.calls if call.waiting]

    # Between the model and the client.

    def happen(self, event: Callable[[], object]) -> None:
        event()
        self.time.settle()

    def report(self, what: str, correlation_id: str) -> None:
        if what == "reply":
            self.orphans += 1
            self.client.on_reply(Reply(correlation_id, b"somebody else's"))
        elif what == "nack":
            self.client.on_nacked(correlation_id)
        elif what == "return":
            self.client.on_returned(correlation_id)
        else:
            self.client.on_dropped(correlation_id)

    def outcome_of(self, call: Modelled, seconds: float) -> Outcome:
        try:
            return self.client.call(call.body, deadline=Deadline.after(seconds))
        except RpcError as error:
            return type(error)

    def one_of(self, data: st.DataObject, calls: list[Modelled]) -> Modelled:
        return data.draw(st.sampled_from(calls), label="call")

    def id_of(self, call: Modelled) -> str:
        assert call.id is not None
        return call.id


TestRpcClient = ClientMachine.TestCase
TestRpcClient.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
