"""What both sides tell of their work to who counts it; the core itself counts nothing and knows no metrics library.

The methods are called on the threads that do the work, so they must be quick, must not wait and must not raise.
"""

import enum
from typing import Protocol

from amqp_rpc.errors import RpcError


class ClientEvent(enum.Enum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"  # a connection was lost, or an attempt to make one failed
    REPEATED = "repeated"  # a call that had lost its connection was sent once more
    RETURNED = "returned"  # the broker had no queue for a call
    REFUSED = "refused"  # the queue was full
    ORPHAN_REPLY = "orphan-reply"  # nobody waited for it any more


class ServerEvent(enum.Enum):
    CONSUMING = "consuming"
    DISCONNECTED = "disconnected"  # as above, or it stops
    REDELIVERED = "redelivered"  # an earlier delivery of the request was not acknowledged
    EXPIRED = "expired"  # the caller had left before its turn came
    BAD_REQUEST = "bad-request"  # nobody to answer, or too large


class ClientObserver(Protocol):
    def began(self) -> None:
        """A call begins; `ended` follows."""

    def ended(self, seconds: float, error: RpcError | None) -> None:
        """It took so long, repeating it included; without an error there is a reply."""

    def happened(self, event: ClientEvent) -> None: ...


class ServerObserver(Protocol):
    def began(self, waited: float | None) -> None:
        """A thread begins with a request; `ended` follows.

        `waited` is the seconds since its caller sent it, by the clocks of two machines and never below 0; None when
        the caller does not say when that was.
        """

    def ended(self, seconds: float, *, failed: bool) -> None:
        """The handler took so long; it failed when it raised."""

    def happened(self, event: ServerEvent) -> None: ...
