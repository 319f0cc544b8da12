"""A model of what the RPC client promises: for each call at each moment, whether it waits or what it has ended in."""

from dataclasses import dataclass, field

from amqp_rpc.errors import (
    BrokerUnavailableError,
    CallTimeoutError,
    ClientClosedError,
    ConnectionLostError,
    NoServerError,
    OverloadedError,
    RpcError,
)
from tests.virtual_time import VirtualTime

LIMIT = 4
GRACE = 3.0
PATIENCE = {1: 0.8, 2: 2.0}  # by attempt
LINGER = 60.0

Outcome = bytes | type[RpcError]


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


class ClientModel:
    """A client as it should be: its connection, its calls, and what it should have published."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.state = "connecting"
        self.blocked = False
        self.calls: list[Modelled] = []
        self.old_ids: list[str] = []
        self.orphans = 0
        self.to_publish: list[Modelled] = []
        self._absent_since: float | None = None
        self._deserted = False
        self._last_call = float("-inf")

    def live(self) -> list[Modelled]:
        return [call for call in self.calls if call.due is None]

    def waiting(self) -> list[Modelled]:
        return [call for call in self.calls if call.waiting]

    def wants_to_see_queue(self) -> bool:
        return bool(self.waiting()) or self._deserted or self._time.now - self._last_call < LINGER

    # What happens to the client.

    def call(self, seconds: float) -> Modelled:
        call = Modelled(f"body {len(self.calls)}".encode(), self._time.now + seconds)
        self.calls.append(call)
        self._attempt(call)
        return call

    def end(self, call: Modelled, outcome: Outcome) -> None:
        self._forget_id(call)
        call.due = outcome
        call.waits_for_connection_until = None

    def lose(self, call: Modelled) -> None:
        self._forget_id(call)
        if call.attempts == 1:
            self._attempt(call)
        else:
            self.end(call, ConnectionLostError)

    def connect(self) -> None:
        self.state, self.blocked, self._absent_since, self._deserted = "up", False, None, False
        for call in self.live():
            self._admit(call)

    def lose_or_fail_to_get_a_connection(self) -> None:
        self.state = "connecting" if self.state == "up" else "down"
        for call in self.live():
            if call.waiting:
                self.lose(call)
            elif self.state == "down":
                self.end(call, BrokerUnavailableError)

    def count_consumers(self, consumers: int, asked_at: float) -> None:
        if consumers:
            self._absent_since, self._deserted = None, False
        else:
            self._absent_since = asked_at if self._absent_since is None else self._absent_since
            self._deserted = self._time.now - self._absent_since >= GRACE
        for call in self.waiting():
            if self._deserted and self._absent_since is not None and call.created_at >= self._absent_since:
                self.end(call, NoServerError)

    def pass_time(self, seconds: float) -> None:
        now = self._time.now + seconds
        for call in self.live():
            if call.waiting and now >= call.deadline:
                self.end(call, CallTimeoutError)
            elif call.waits_for_connection_until is not None and now >= call.waits_for_connection_until:
                self.end(call, BrokerUnavailableError)

    def close(self) -> None:
        self.state = "closed"
        for call in self.live():
            self.end(call, ClientClosedError)

    # What follows from it.

    def _attempt(self, call: Modelled) -> None:
        call.attempts += 1
        if self.state == "up":
            self._admit(call)
        elif self.state == "connecting":
            call.waits_for_connection_until = min(call.deadline, self._time.now + PATIENCE[call.attempts])
        else:
            self.end(call, ClientClosedError if self.state == "closed" else BrokerUnavailableError)

    def _admit(self, call: Modelled) -> None:
        in_flight = len([each for each in self.waiting() if each is not call])
        call.waits_for_connection_until = None
        if self.blocked:
            self.end(call, BrokerUnavailableError)
        elif self._deserted:
            self.end(call, NoServerError)
        elif in_flight >= LIMIT:
            self.end(call, OverloadedError)
        else:
            call.created_at = self._last_call = self._time.now
            self.to_publish.append(call)

    def _forget_id(self, call: Modelled) -> None:
        if call.id is not None:
            self.old_ids.append(call.id)
            call.id = None
