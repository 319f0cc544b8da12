"""The RPC client against a model of what it promises, through any order of calls, replies, losses and passing time.

The model says for each call at each moment whether it still waits or what it must have ended in; so a call that ends
twice, late, with another's content or not at all is found.
"""

from collections.abc import Callable
from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from amqp_rpc import RpcClient
from amqp_rpc.errors import NoServerError, OverloadedError, RemoteError, RpcError
from amqp_rpc.messages import Call, QueueState, Reply
from amqp_rpc.transport import ClientListener
from service_kit.deadline import Deadline
from tests.unit.rpc_client_model import GRACE, LIMIT, ClientModel, Modelled, Outcome
from tests.virtual_time import VirtualTime


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


class ClientMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.time = VirtualTime()
        self.patches = ExitStack()
        self.patches.enter_context(self.time.in_the_client())
        self.transport = ScriptedTransport()
        self.client = RpcClient(self.transport, grace=GRACE, max_in_flight=LIMIT)
        self.model = ClientModel(self.time)

    # What happens.

    @precondition(lambda self: self.model.state == "up" or len(self.model.live()) < LIMIT)
    @rule(seconds=st.sampled_from([0.25, 4.0, 8.0]))
    def call(self, seconds: float) -> None:
        call = self.model.call(seconds)
        self.time.start(lambda: call.ended.append(self.outcome_of(call, seconds)))
        self.time.settle()

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data(), failed=st.booleans())
    def reply(self, data: st.DataObject, *, failed: bool) -> None:
        call = self.one_of(data, self.model.waiting())
        answer = Reply(self.id_of(call), b"" if failed else b"answer to " + call.body, failed)
        self.model.end(call, RemoteError if failed else answer.body)
        self.happen(lambda: self.client.on_reply(answer))

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data())
    def nack(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.model.waiting())
        call_id = self.id_of(call)
        self.model.end(call, OverloadedError)
        self.happen(lambda: self.client.on_nacked(call_id))

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data())
    def return_(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.model.waiting())
        call_id = self.id_of(call)
        self.model.end(call, NoServerError)
        self.happen(lambda: self.client.on_returned(call_id))

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        call = self.one_of(data, self.model.waiting())
        call_id = self.id_of(call)
        self.model.lose(call)
        self.happen(lambda: self.client.on_dropped(call_id))

    @precondition(lambda self: self.model.old_ids)
    @rule(data=st.data())
    def speak_of_an_ended_attempt(self, data: st.DataObject) -> None:
        """A late or doubled reply, or whatever else: nobody's business any more."""
        old = data.draw(st.sampled_from(self.model.old_ids))
        report = data.draw(st.sampled_from(["reply", "nack", "return", "drop"]))
        self.happen(lambda: self.report(report, old))

    @rule(unknown=st.text(max_size=40), report=st.sampled_from(["reply", "nack", "return", "drop"]))
    def speak_of_an_unknown_id(self, unknown: str, report: str) -> None:
        self.happen(lambda: self.report(report, unknown))

    @precondition(lambda self: self.model.state in {"connecting", "down"})
    @rule()
    def connect(self) -> None:
        self.model.connect()
        self.happen(self.client.on_connected)

    @precondition(lambda self: self.model.state != "closed")
    @rule()
    def lose_or_fail_to_get_a_connection(self) -> None:
        self.model.lose_or_fail_to_get_a_connection()
        self.happen(self.client.on_disconnected)

    @precondition(lambda self: self.model.state == "up")
    @rule(blocked=st.booleans())
    def block(self, *, blocked: bool) -> None:
        self.model.blocked = blocked
        self.happen(lambda: self.client.on_blocked(blocked=blocked))

    @precondition(lambda self: self.model.state == "up")
    @rule(consumers=st.integers(0, 1), age=st.sampled_from([0.0, 0.5]))
    def count_consumers(self, consumers: int, age: float) -> None:
        asked_at = self.time.now - age
        self.model.count_consumers(consumers, asked_at)
        self.happen(lambda: self.client.on_queue_seen(QueueState(asked_at, consumers)))

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.model.pass_time(seconds)
        self.time.pass_by(seconds)

    @precondition(lambda self: self.model.state == "up")
    @rule()
    def nobody_serves_for_the_grace(self) -> None:
        """What single steps would make too seldom."""
        self.count_consumers(consumers=0, age=0.0)
        self.time_passes(seconds=GRACE)
        self.count_consumers(consumers=0, age=0.0)

    @precondition(lambda self: len(self.model.calls) > 2)
    @rule()
    def close(self) -> None:
        self.model.close()
        self.happen(self.client.close)

    # What must hold after each of them.

    @invariant()
    def each_call_has_ended_exactly_once_and_as_it_should_or_still_waits(self) -> None:
        due = [[] if call.due is None else [call.due] for call in self.model.calls]
        assert [call.ended for call in self.model.calls] == due

    @invariant()
    def what_should_be_published_is_and_nothing_else(self) -> None:
        due = sorted(call.body for call in self.model.to_publish)
        assert sorted(call.body for call in self.transport.published) == due
        for published in self.transport.published:
            call = next(each for each in self.model.to_publish if each.body == published.body)
            assert published.deadline.at == call.deadline
            assert published.deadline.at > self.time.now or call.due is not None
            assert published.correlation_id not in {*self.model.old_ids, *(each.id for each in self.model.calls)}
            if call.due is None:
                call.id = published.correlation_id
            else:
                self.model.old_ids.append(published.correlation_id)
        self.transport.published.clear()
        self.model.to_publish.clear()

    @invariant()
    def replies_to_nobody_are_counted_and_nothing_else_is(self) -> None:
        assert self.client.orphan_replies == self.model.orphans

    @invariant()
    def the_table_holds_the_waiting_calls_and_no_others(self) -> None:
        assert self.client.in_flight == len(self.model.waiting())
        assert self.client.wants_to_see_queue() is self.model.wants_to_see_queue()

    def teardown(self) -> None:
        self.close()
        self.each_call_has_ended_exactly_once_and_as_it_should_or_still_waits()
        self.patches.close()
        assert self.client.in_flight == 0
        assert self.transport.closed > 0

    # Between the model and the client.

    def happen(self, event: Callable[[], object]) -> None:
        event()
        self.time.settle()

    def report(self, what: str, correlation_id: str) -> None:
        if what == "reply":
            self.model.orphans += 1
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
