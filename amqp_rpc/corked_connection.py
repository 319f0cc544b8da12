"""The one file that reaches below pika's public interface: few system calls for many frames, and a hard abort.

pika hands each frame (method, header, body) to the transport by itself, and each costs a `send`. Holding the frames
of everything that is ready back and writing them once more than doubles the calls per second. It also waits for the
socket to become writable before each write, and reads until the socket has nothing more, which costs a further turn of
the loop and a failed `recv`; here a write is tried at once, and the loop says when there is more to read.

`tests/unit/test_corked_connection.py` fails when a new pika no longer has what is used here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pika import SelectConnection
from pika.adapters.utils.io_services_utils import _AsyncPlaintextTransport
from pika.channel import Channel

from amqp_rpc.wire import ChannelWriter
from amqp_rpc.wire_reader import ChannelReader

_READ_BYTES: Final = 64 * 1024


class CorkedConnection(SelectConnection):
    """A `SelectConnection` whose output can be held back and written in one piece."""

    _held: list[bytes] | None = None
    _frame_buffer: bytes
    _reader: ChannelReader | None = None
    _plain: Any = None
    """The transport, if it is one without TLS, which has a buffer of its own."""

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Everything sent inside leaves in one write at the end."""
        held: list[bytes] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            if held:
                self._adapter_emit_data(b"".join(held))

    def writer(self, channel: Channel) -> ChannelWriter:
        """Writes what `send` sends on `channel`."""
        return ChannelWriter(channel.channel_number, self._body_max_length)  # type: ignore[attr-defined]  # as below

    def send(self, frames: bytes) -> None:
        """Send whole frames of a channel that is open."""
        self._output_marshaled_frames((frames,))  # type: ignore[attr-defined]  # as below

    def read_with(self, reader: ChannelReader | None) -> None:
        """Have `reader` read what it can from now on, before pika does; None: pika reads all."""
        self._reader = reader

    def abort(self, error: Exception) -> None:
        """Drop the connection without the closing handshake, which a dead peer would never finish."""
        self._terminate_stream(error)  # type: ignore[attr-defined]  # the stubs list public names only

    def _proto_connection_made(self, transport: Any) -> None:
        if isinstance(transport, _AsyncPlaintextTransport):
            self._plain = transport
            self._plain._MAX_RECV_BYTES = _READ_BYTES  # noqa: SLF001  of this one
            self._plain._MAX_CONSUME_BYTES = 1  # noqa: SLF001  so one `recv` for each time that there is something
        super()._proto_connection_made(transport)  # type: ignore[misc]  # as above

    def _on_data_available(self, data_in: bytes) -> None:
        self._frame_buffer += data_in
        while self._read_quickly():
            size, frame = self._read_frame()  # type: ignore[attr-defined]  # as above
            if not frame:
                return
            self._trim_frame_buffer(size)  # type: ignore[attr-defined]  # as above
            self._process_frame(frame)  # type: ignore[attr-defined]  # as above

    def _read_quickly(self) -> bool:
        """Whether there is something for pika."""
        buffer, at = self._frame_buffer, 0
        while (reader := self._reader) and (end := reader.read(buffer, at)) > at:
            at = end
        if at:
            self._trim_frame_buffer(at)  # type: ignore[attr-defined]  # as above
        return at < len(buffer)

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
            return
        rest = self._sent_at_once(data) if self._plain else data
        if rest:
            super()._adapter_emit_data(rest)  # type: ignore[misc]  # as above

    def _sent_at_once(self, data: bytes) -> bytes:
        """What the socket does not take now; with an error all, so that the transport meets it in its own way."""
        transport = self._plain
        assert transport
        if transport._state != transport._STATE_ACTIVE or transport.get_write_buffer_size():  # noqa: SLF001
            return data
        try:
            return data[transport._sock.send(data) :]  # noqa: SLF001
        except OSError:
            return data
