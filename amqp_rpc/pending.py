"""The calls that wait for a reply: whoever takes a call out of the table, and nobody else, ends it."""

import threading
from collections.abc import Callable

from amqp_rpc.errors import OverloadedError, RpcError
from amqp_rpc.messages import Reply


class PendingCall:
    """One waiting call. A plain lock is the cheapest thing that a thread can wait on with a time-out."""

    __slots__ = ("_done", "_outcome", "correlation_id", "created_at")

    def __init__(self, correlation_id: str, created_at: float) -> None:
        self.correlation_id = correlation_id
        self.created_at = created_at
        self._outcome: Reply | RpcError | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def end(self, outcome: Reply | RpcError) -> None:
        """Wake the caller. Only for who took this call out of the table, so it happens once."""
        self._outcome = outcome
        self._done.release()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False when it has not come within `seconds`."""
        return self._done.acquire(timeout=seconds)

    def outcome(self) -> Reply | RpcError | None:
        return self._outcome


class PendingCalls:
    """The table: correlation id to waiting call, never more than `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: dict[str, PendingCall] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: PendingCall) -> None:
        """:raises OverloadedError: `limit` calls are waiting already."""
        with self._lock:
            if len(self._calls) >= self._limit:
                raise OverloadedError(f"{self._limit} calls are in flight")
            self._calls[call.correlation_id] = call

    def take(self, correlation_id: str) -> PendingCall | None:
        """Take the call out; None when another has taken it, or there never was one."""
        with self._lock:
            return self._calls.pop(correlation_id, None)

    def end_all(self, error: Callable[[], RpcError]) -> None:
        """End every call, each with an error of its own (a raised one keeps a traceback)."""
        self.end_since(float("-inf"), error)

    def end_since(self, moment: float, error: Callable[[], RpcError]) -> None:
        """End the calls that were made since then, each with an error of its own."""
        with self._lock:
            chosen = [call for call in self._calls.values() if call.created_at >= moment]
            for call in chosen:
                del self._calls[call.correlation_id]
        for call in chosen:
            call.end(error())
