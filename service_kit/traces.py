"""The place in a trace that this thread is at: in its log lines, and in the headers of what it sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from structlog.contextvars import bound_contextvars

from service_kit.trace_context import TRACEPARENT, trace_id_of

_traceparent: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """None when the call belongs to no trace."""
    return _traceparent.get()


@contextmanager
def bind_traceparent(traceparent: str | None) -> Iterator[None]:
    """Make it the current place, and its trace that of every log line; with None all stays as it is."""
    if traceparent is None:
        yield
        return
    token = _traceparent.set(traceparent)
    try:
        with bound_contextvars(trace_id=trace_id_of(traceparent)):
            yield
    finally:
        _traceparent.reset(token)


def trace_headers() -> dict[str, str]:
    """The headers that carry the current place on; none when there is none."""
    traceparent = _traceparent.get()
    return {TRACEPARENT: traceparent} if traceparent else {}
