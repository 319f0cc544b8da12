"""What a call can end in, other than its answer.

    RpcError
    ├── CallTimeoutError         the deadline passed
    ├── RemoteError              the server took the call and failed
    └── UnavailableError         the call was not, or may not have been, served; asking again later makes sense
        ├── BrokerUnavailableError   there is no connection, it was lost, or the broker has blocked it
        ├── NoServerError            nobody serves the queue
        ├── OverloadedError          too many calls of this process are in flight, or the queue is full
        └── ClientClosedError        the client was closed

pika's own exceptions never leave this package.
"""


class RpcError(Exception):
    """A call that ended without its answer."""


class CallTimeoutError(RpcError):
    """No answer came within the deadline."""


class RemoteError(RpcError):
    """The server's handler failed; its log has the reason."""


class UnavailableError(RpcError):
    """Nobody could be asked, or the way to the answer is gone."""


class BrokerUnavailableError(UnavailableError):
    """There is no usable connection to the broker."""


class ConnectionLostError(BrokerUnavailableError):
    """The connection went away before the reply came: the call may or may not have been served."""


class NoServerError(UnavailableError):
    """Nobody serves the queue: it does not exist, or has had no consumer for longer than the grace."""


class OverloadedError(UnavailableError):
    """The process already has its limit of calls in flight, or the broker its limit of requests in the queue."""


class ClientClosedError(UnavailableError):
    """The client was closed before or during the call."""
