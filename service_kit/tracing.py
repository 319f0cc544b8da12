"""Spans, for whoever collects them. Off unless `start` finds an address to send them to and OpenTelemetry installed.

While it is off nothing of OpenTelemetry is imported, and a span is an object that does nothing.
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Final, Protocol

_log = logging.getLogger(__name__)

Attribute = str | int


class SpanKind(Enum):
    """Which side of a call it is."""

    SERVER = auto()
    CLIENT = auto()


class Span(Protocol):
    """What is told of a piece of work while it lasts."""

    def set_attribute(self, key: str, value: Attribute, /) -> None: ...


class Tracer(Protocol):
    def span(self, name: str, kind: SpanKind, attributes: dict[str, Attribute]) -> AbstractContextManager[Span]:
        """One that begins in this thread's place of the trace, and is the place while the block lasts.

        An exception that leaves the block marks it as failed.
        """


class _NoSpan:
    def set_attribute(self, key: str, value: Attribute, /) -> None:
        """Nobody collects it."""


_OFF: Final[AbstractContextManager[Span]] = nullcontext(_NoSpan())
_tracer: Tracer | None = None


def start(service: str, endpoint: str) -> None:
    """Send spans as those of `service` to the OTLP address `endpoint`; an empty one leaves everything off.

    Call it once in each process that serves, after its fork. Without the packages it says so in the log, and the
    process serves as ever: an operator may have set the address for all that runs on a machine.
    """
    if not endpoint:
        return
    try:
        from service_kit.otel import exporting_tracer
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        _log.warning("tracing.not_installed", extra={"install": "requirements-otel.txt", "missing": error.name})
        return
    use(exporting_tracer(service, endpoint))
    _log.info("tracing.started")


def use(tracer: Tracer | None) -> None:
    """Make all spans of this process with `tracer`; None: none any more."""
    global _tracer  # noqa: PLW0603  a process has one, as it has one root logger
    _tracer = tracer


def is_on() -> bool:
    return _tracer is not None


def span(name: str, kind: SpanKind, attributes: dict[str, Attribute]) -> AbstractContextManager[Span]:
    """See `Tracer.span`. Names have few values; none of the attributes holds a secret or a user's name."""
    return _OFF if _tracer is None else _tracer.span(name, kind, attributes)
