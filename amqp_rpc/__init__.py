"""Remote procedure calls over RabbitMQ: how a call crosses the broker. Knows no stocks and no web.

A process that asks makes one client, `client = connect_client(url, "queue", exchange="exchange", grace=3.0)`, and
shares it among its threads: `client.call(b"...", deadline=Deadline.after(6.0))`. A process that answers calls
`serve(url, "queue", handler, exchange="exchange", ...)` on its main thread. docs/adr/0002 and 0003 say why replies and
acknowledgements go the way they do, 0009 who declares what, 0012 what calls share that are made at the same time.
"""

from amqp_rpc.amqp_client import AmqpClientTransport, ReplyPath
from amqp_rpc.client import DEFAULT_MAX_IN_FLIGHT, RpcClient
from amqp_rpc.errors import (
    BrokerUnavailableError,
    CallTimeoutError,
    ClientClosedError,
    ConnectionLostError,
    NoServerError,
    OverloadedError,
    RemoteError,
    RpcError,
    UnavailableError,
)
from amqp_rpc.messages import Request
from amqp_rpc.observers import ClientEvent, ClientObserver, ServerEvent, ServerObserver
from amqp_rpc.parameters import check_url, connection_parameters
from amqp_rpc.server import Handler, RpcServer
from amqp_rpc.serving import serve

__all__ = [
    "BrokerUnavailableError",
    "CallTimeoutError",
    "ClientClosedError",
    "ClientEvent",
    "ClientObserver",
    "ConnectionLostError",
    "Handler",
    "NoServerError",
    "OverloadedError",
    "RemoteError",
    "Request",
    "RpcClient",
    "RpcError",
    "RpcServer",
    "ServerEvent",
    "ServerObserver",
    "UnavailableError",
    "check_url",
    "connect_client",
    "connection_parameters",
    "serve",
]


def connect_client(  # noqa: PLR0913  each is named at the call
    url: str,
    queue: str,
    *,
    exchange: str,
    grace: float,
    heartbeat: int = 10,
    max_in_flight: int = DEFAULT_MAX_IN_FLIGHT,
    reply_path: ReplyPath = "direct",
    ca: str = "",
    observer: ClientObserver | None = None,
) -> RpcClient:
    """A client of `queue` on the broker at `url`; returns at once and connects on a thread of its own.

    :param exchange: the direct exchange that `queue` is bound to by its own name.
    :param grace: seconds for which calls wait when the queue has lost its last consumer, for a worker that restarts.
    :param heartbeat: seconds of the AMQP heartbeat.
    :param max_in_flight: calls waiting at once; one more is refused with `OverloadedError`.
    :param ca: certificates in PEM to trust an `amqps://` broker by, instead of the system's.
    :param observer: is told what comes of the calls and of the connection.
    :raises ValueError: the URL is not one.
    """
    parameters = connection_parameters(url, name=f"{queue} client", heartbeat=heartbeat, ca=ca)
    transport = AmqpClientTransport(parameters, exchange, queue, reply_path)
    return RpcClient(transport, grace=grace, max_in_flight=max_in_flight, observer=observer)
