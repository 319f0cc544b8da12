"""The adapter method that `CorkedConnection` overrides exists in this pika, and corking joins what is sent."""

from unittest.mock import Mock

from pika.adapters.base_connection import BaseConnection

from amqp_rpc.corked_connection import CorkedConnection


def corked_connection() -> tuple[CorkedConnection, Mock]:
    connection = CorkedConnection.__new__(CorkedConnection)  # without connecting anywhere
    transport = Mock()
    connection._transport = transport
    return connection, transport


def test_pika_still_has_what_is_overridden_and_called() -> None:
    assert callable(BaseConnection._adapter_emit_data)
    assert callable(BaseConnection._terminate_stream)


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
