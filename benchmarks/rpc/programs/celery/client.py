"""Threads that send a task and wait for its result."""

from collections.abc import Mapping
from typing import Any

from benchmarks.rpc.programs.celery.application import task
from benchmarks.rpc.programs.contract import CALL_TIMEOUT
from benchmarks.rpc.programs.driving import drive


def call(symbol: str) -> Mapping[str, Any]:
    reply: Mapping[str, Any] = task.delay(symbol).get(timeout=CALL_TIMEOUT)
    return reply


if __name__ == "__main__":
    drive(lambda _: call)
