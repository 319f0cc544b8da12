"""The deadline of the transaction that this thread is in: also the driver of PostgreSQL waits no longer."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from service_kit.deadline import Deadline

_current: Final[ContextVar[Deadline | None]] = ContextVar("transaction_deadline", default=None)


@contextmanager
def bounded_by(deadline: Deadline) -> Iterator[None]:
    """Until the block ends, getting a connection included."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


def current_deadline() -> Deadline | None:
    """None outside of `bounded_by`."""
    return _current.get()
