"""What each transport gives to the suite: clients and servers of one queue, and a lever to break what is between."""

from typing import Protocol

from amqp_rpc import RpcClient, RpcServer
from amqp_rpc.server import Handler


class Harness(Protocol):
    """Makes clients and servers of one fresh queue, and breaks what is between them."""

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient: ...

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        """A server that consumes already when this returns."""
        ...

    def cut(self) -> None:
        """Cut the clients' connections; the way to new ones stays open."""
        ...

    def waiting(self) -> int:
        """How many requests are in the queue, neither taken by a server nor expired."""
        ...


class Parties:
    """The clients and servers that a harness has made, and their end."""

    def __init__(self) -> None:
        self.clients: list[RpcClient] = []
        self.servers: list[RpcServer] = []

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.drain(1.0)
