"""The harness of the RPC suite on RabbitMQ."""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pika

from amqp_rpc import RpcClient, RpcServer, connect_client, connection_parameters
from amqp_rpc.amqp_client import ReplyPath
from amqp_rpc.amqp_server import AmqpServerTransport
from amqp_rpc.server import Handler
from tests.rpc_suite.harness import Parties
from tests.waiting import SOON


class RabbitHarness(Parties):
    """Queue and exchange have one name here."""

    def __init__(self, url: str, queue: str, reply_path: ReplyPath = "direct") -> None:
        super().__init__()
        self.url = url
        self.queue = queue
        self.reply_path = reply_path

    def client(self, *, grace: float = 3.0, max_in_flight: int = 64) -> RpcClient:
        self.clients.append(
            connect_client(
                self.url,
                self.queue,
                exchange=self.queue,
                grace=grace,
                max_in_flight=max_in_flight,
                reply_path=self.reply_path,
            )
        )
        return self.clients[-1]

    def server(self, handler: Handler, workers: int = 8) -> RpcServer:
        consuming = threading.Event()
        server = self.server_that_starts(handler, workers, on_alive=consuming.set)
        assert consuming.wait(SOON)
        return server

    def server_that_starts(
        self, handler: Handler, workers: int = 1, on_alive: Callable[[], None] = lambda: None
    ) -> RpcServer:
        """A server that may not consume yet."""
        parameters = connection_parameters(self.url, name="test server", heartbeat=10)
        transport = AmqpServerTransport(parameters, self.queue, self.queue, prefetch=workers, on_alive=on_alive)
        self.servers.append(RpcServer(transport, handler, workers=workers))
        self.servers[-1].start()
        return self.servers[-1]

    def cut(self) -> None:
        for client in self.clients:
            link: Any = client._transport._link
            link.run_soon(lambda link=link: link.abort("cut by the test"))

    def waiting(self) -> int:
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            return connection.channel().queue_declare(self.queue, passive=True).method.message_count


def client_at(port: int) -> RpcClient:
    return connect_client(f"amqp://guest:guest@127.0.0.1:{port}/%2F", "test.none", exchange="test.none", grace=3.0)


def declare(channel: Any, name: str) -> None:
    channel.queue_declare(name, durable=True)
    channel.exchange_declare(name, durable=True)
    channel.queue_bind(name, name, name)
