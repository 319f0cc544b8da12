"""What `CorkedConnection` uses of pika exists in this pika; frames leave together, and without a turn of the loop."""

import socket
from collections.abc import Iterator
from unittest.mock import Mock

import pika
import pytest
from pika.adapters.base_connection import BaseConnection
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.io_services_utils import _AsyncPlaintextTransport, _AsyncTransportBase
from pika.connection import Connection

from amqp_rpc.corked_connection import CorkedConnection
from tests.callers import callers


def corked_connection() -> tuple[CorkedConnection, Mock]:
    connection = CorkedConnection.__new__(CorkedConnection)  # without connecting anywhere
    transport = Mock()
    connection._transport = transport
    return connection, transport


def test_pika_still_has_what_is_overridden_and_called() -> None:
    assert callable(BaseConnection._adapter_emit_data)
    assert callable(BaseConnection._terminate_stream)
    assert callable(BaseConnection._proto_connection_made)
    for name in (
        "_on_data_available",
        "_read_frame",
        "_trim_frame_buffer",
        "_process_frame",
        "_output_marshaled_frames",
    ):
        assert callable(getattr(Connection, name))
    assert _AsyncTransportBase._MAX_RECV_BYTES > 0
    assert _AsyncTransportBase._MAX_CONSUME_BYTES > 0
    assert _AsyncPlaintextTransport._STATE_ACTIVE


def test_frames_inside_leave_in_one_write() -> None:
    connection, transport = corked_connection()
    with connection.corked():
        connection._adapter_emit_data(b"method")
        connection._adapter_emit_data(b"header")
        transport.write.assert_not_called()
    transport.write.assert_called_once_with(b"methodheader")


def test_nothing_inside_writes_nothing_and_outside_writes_at_once() -> None:
    connection, transport = corked_connection()
    with connection.corked():
        pass
    transport.write.assert_not_called()
    connection._adapter_emit_data(b"heartbeat")
    transport.write.assert_called_once_with(b"heartbeat")


@pytest.fixture
def connected() -> Iterator[tuple[CorkedConnection, socket.socket, IOLoop]]:
    """A connection to a socket of ours, the socket, and the loop, which turns only when a test turns it."""
    loop = IOLoop()
    loop.activate_poller()
    with socket.create_server(("127.0.0.1", 0)) as server:
        parameters = pika.ConnectionParameters("127.0.0.1", server.getsockname()[1])
        connection = CorkedConnection(parameters, custom_ioloop=loop, on_open_error_callback=lambda *_: None)
        while connection._plain is None:
            loop.poll()
            loop.process_timeouts()
        peer, _ = server.accept()
    with peer:
        yield connection, peer, loop
    if not connection.is_closed:
        connection.abort(ConnectionAbortedError("the end of the test"))
    turn_until_closed(loop, connection)
    loop.deactivate_poller()
    loop.close()


def test_what_is_sent_leaves_without_a_turn_of_the_loop(
    connected: tuple[CorkedConnection, socket.socket, IOLoop],
) -> None:
    connection, peer, _ = connected
    connection._adapter_emit_data(b"frame")
    assert read(peer, 13) == b"AMQP\x00\x00\x09\x01frame"


def test_what_the_socket_does_not_take_follows_in_order(
    connected: tuple[CorkedConnection, socket.socket, IOLoop],
) -> None:
    connection, peer, loop = connected
    large = bytes(range(256)) * 64 * 1024
    connection._adapter_emit_data(large)
    connection._adapter_emit_data(b"the end")
    assert connection._plain.get_write_buffer_size() > 0
    with callers() as pool:
        received = pool.submit(read, peer, 8 + len(large) + len(b"the end"))
        while connection._plain.get_write_buffer_size():
            loop.poll()
        assert received.result(5)[8:] == large + b"the end"


def test_a_peer_that_has_gone_is_met_by_the_transport(
    connected: tuple[CorkedConnection, socket.socket, IOLoop],
) -> None:
    connection, peer, loop = connected
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close with a reset
    peer.close()
    connection._adapter_emit_data(b"frame")
    turn_until_closed(loop, connection)


def turn_until_closed(loop: IOLoop, connection: CorkedConnection) -> None:
    while not connection.is_closed:
        loop.poll()
        loop.process_timeouts()


def read(peer: socket.socket, count: int) -> bytes:
    return peer.recv(count, socket.MSG_WAITALL)
