"""Waiting, always with a bound, for what another thread or process does; and how long something took."""

import threading
import time
from collections.abc import Callable
from typing import Any

from service_kit.deadline import Deadline

SOON = 5.0
"""A generous bound for what takes milliseconds on a calm machine."""


def eventually(condition: Callable[[], bool], within: float = SOON) -> None:
    """Poll with a bound, for what only another process or thread can tell."""
    deadline = Deadline.after(within)
    while not condition():
        assert not deadline.expired, "did not come true in time"
        threading.Event().wait(0.02)


def elapsed(action: Callable[[], Any]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started
