"""What the test bodies are made of: handlers that can be looked into, and calls that succeed or fail as expected."""

import threading

import pytest

from amqp_rpc import Request, RpcClient, RpcError
from service_kit.deadline import Deadline
from tests.waiting import SOON, elapsed


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


def call(client: RpcClient, body: bytes = b"ping", seconds: float = SOON) -> bytes:
    return client.call(body, deadline=Deadline.after(seconds))


def served(client: RpcClient, seconds: float = 1.0) -> bool:
    """Whether a server echoes within that time."""
    try:
        return call(client, seconds=seconds) == b"ping"
    except RpcError:
        return False


def fails_in(client: RpcClient, error: type[RpcError], seconds: float = SOON) -> float:
    """Seconds until a call has failed, as it must, with this error."""

    def fail() -> None:
        with pytest.raises(error):
            call(client, seconds=seconds)

    return elapsed(fail)
