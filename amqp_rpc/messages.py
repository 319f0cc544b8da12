"""What crosses between the RPC core and its transports, and the names used on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service_kit.deadline import Deadline

BUDGET_HEADER: Final = "x-budget-ms"
"""What is left of the caller's deadline when the request is published: relative, so that clocks need not agree."""

SENT_HEADER: Final = "x-sent-ms"
"""When the request was published, in milliseconds since 1970 by the sender's clock. Only for measuring how long it lay
in the queue: nothing is decided by it, because two clocks need not agree, and it may be missing."""

FAILED_HEADER: Final = "x-rpc-failed"
"""Set on a reply that stands for a failed handler; its body is empty."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way out."""

    correlation_id: str
    body: bytes
    headers: Mapping[str, str]
    deadline: Deadline
    created_at: float
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way back; `failed` says that the handler failed and there is no body."""

    correlation_id: str
    body: bytes
    failed: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the broker said of a queue that it was asked about."""

    asked_at: float
    """On the monotonic clock."""
    consumers: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it arrived: nothing in it has been checked."""

    token: object
    """The transport's own handle for answering and acknowledging."""
    correlation_id: object
    reply_to: object
    body: bytes
    headers: Mapping[str, object]
    redelivered: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request, as the handler sees it."""

    body: bytes
    headers: Mapping[str, str]
    deadline: Deadline
    """When the caller stops waiting; work after that is wasted."""
    correlation_id: str
    redelivered: bool
    """True when an earlier delivery was not acknowledged: the work may have been done once already."""
    sent_at: float | None = None
    """Seconds since 1970 by the caller's clock; None when it does not say."""
