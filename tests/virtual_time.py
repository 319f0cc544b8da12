"""Time that passes when a test says so, for threads that wait inside the RPC client: no sleeps, no chance."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from unittest.mock import patch

import amqp_rpc.client
import amqp_rpc.sampled_log
import service_kit.deadline
from amqp_rpc.pending import PendingCall

_REAL_SECONDS = 5.0
"""A bound for what takes microseconds: a thread that is not back by then has hung."""


@dataclass(eq=False)
class _Waiter:
    ready: Callable[[], bool]
    until: float


class VirtualTime:
    """One clock, the threads that live by it, and what each of them waits for.

    `settle` returns when every thread has ended or waits for something that has not come about: what the threads do
    between two calls of it does not depend on how they are scheduled.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._changed = threading.Condition()
        self._threads = 0
        self._waiters: list[_Waiter] = []

    def start(self, action: Callable[[], None]) -> None:
        """Run `action` on a thread of its own."""
        self._threads += 1
        threading.Thread(target=self._run, args=(action,), name="virtual", daemon=True).start()

    def wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait on a thread that was started here; True when `ready` came about in time."""
        waiter = _Waiter(ready, self.now + seconds)
        with self._changed:
            self._waiters.append(waiter)
            self._changed.notify_all()
            while self._holds(waiter):
                self._changed.wait()
            self._waiters.remove(waiter)
        return ready()

    def settle(self) -> None:
        with self._changed:
            self._changed.notify_all()
            assert self._changed.wait_for(self._settled, _REAL_SECONDS), "a thread hangs"

    def pass_by(self, seconds: float) -> None:
        with self._changed:
            self.now += seconds
        self.settle()

    @contextmanager
    def in_the_client(self) -> Iterator[None]:
        """Have the RPC client live by this clock: every place where it reads the time or waits."""
        clock = SimpleNamespace(monotonic=lambda: self.now)
        with ExitStack() as patches:
            for module in (amqp_rpc.client, amqp_rpc.sampled_log, service_kit.deadline):
                patches.enter_context(patch.object(module, "time", clock))
            condition = SimpleNamespace(Condition=lambda: _VirtualCondition(self))
            patches.enter_context(patch.object(amqp_rpc.client, "threading", condition))
            patches.enter_context(patch.object(amqp_rpc.client, "PendingCall", self._pending_call()))
            yield

    def _pending_call(self) -> type[PendingCall]:
        time = self

        class VirtualPendingCall(PendingCall):
            def wait(self, seconds: float) -> bool:
                return time.wait(lambda: not self._done.locked(), seconds) and self._done.acquire(blocking=False)

        return VirtualPendingCall

    def _run(self, action: Callable[[], None]) -> None:
        action()
        with self._changed:
            self._threads -= 1
            self._changed.notify_all()

    def _holds(self, waiter: _Waiter) -> bool:
        return self.now < waiter.until and not waiter.ready()

    def _settled(self) -> bool:
        return len(self._waiters) == self._threads and all(self._holds(waiter) for waiter in self._waiters)


class _VirtualCondition:
    """What the client uses of `threading.Condition`; `settle` does the waking."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        self._lock.release()
        try:
            return self._time.wait(ready, seconds)
        finally:
            self._lock.acquire()

    def notify_all(self) -> None:
        """Nothing: see above."""
