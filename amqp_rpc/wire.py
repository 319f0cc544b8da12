"""The messages of a call as AMQP 0-9-1 has them on the wire.

For each message pika builds several objects and encodes every field anew, though most of the bytes are the same each
time. What is written here are the very bytes that pika would write; `tests/unit/test_wire.py` compares them.
https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 4.2.3 to 4.2.6.
"""

import struct
from collections.abc import Mapping
from typing import Any, Final

from pika import spec
from pika.data import encode_table
from pika.frame import Method
from pika.spec import BasicProperties

_FRAME: Final = struct.Struct(">BHI")  # type, channel, size
_CONTENT: Final = struct.Struct(">HHQH")  # class, weight, size of the body, flags
_ACK: Final = struct.Struct(">BHIIQBB")
_ACK_SIZE: Final = 13
_END: Final = bytes([spec.FRAME_END])
_TRANSIENT: Final = b"\x01"
_REPLY: Final = BasicProperties.FLAG_DELIVERY_MODE | BasicProperties.FLAG_CORRELATION_ID
_CALL: Final = _REPLY | BasicProperties.FLAG_HEADERS | BasicProperties.FLAG_REPLY_TO | BasicProperties.FLAG_EXPIRATION


class ChannelWriter:
    """Writes the messages of one channel. All of them are transient.

    :param largest: bytes of a body that go into one frame.
    """

    def __init__(self, channel: int, largest: int) -> None:
        self._channel = channel
        self._largest = largest

    def publish(self, exchange: str, routing_key: str, *, mandatory: bool) -> bytes:
        """The method that comes before each message; it is the same for all that go to the same place."""
        method = spec.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
        return bytes(Method(self._channel, method).marshal())

    def request(
        self, body: bytes, headers: Mapping[str, Any], *, correlation_id: str, reply_to: str, expiration: int
    ) -> bytes:
        """The content of a request; `expiration` in milliseconds.

        :raises ValueError: a text has more than 255 bytes.
        """
        strings = _short(correlation_id) + _short(reply_to) + _short(str(expiration))
        return self._content(_CALL, _table(headers) + _TRANSIENT + strings, body)

    def reply(self, body: bytes, headers: Mapping[str, Any], *, correlation_id: str) -> bytes:
        """The content of a reply.

        :raises ValueError: the correlation id has more than 255 bytes.
        """
        flags = _REPLY | BasicProperties.FLAG_HEADERS if headers else _REPLY
        table = _table(headers) if headers else b""
        return self._content(flags, table + _TRANSIENT + _short(correlation_id), body)

    def ack(self, tag: int) -> bytes:
        """The acknowledgement of one delivery."""
        return _ACK.pack(spec.FRAME_METHOD, self._channel, _ACK_SIZE, spec.Basic.Ack.INDEX, tag, 0, spec.FRAME_END)

    def _content(self, flags: int, properties: bytes, body: bytes) -> bytes:
        header = _CONTENT.pack(BasicProperties.INDEX, 0, len(body), flags) + properties
        frames = [_FRAME.pack(spec.FRAME_HEADER, self._channel, len(header)), header, _END]
        for begin in range(0, len(body), self._largest):
            piece = body[begin : begin + self._largest]
            frames += (_FRAME.pack(spec.FRAME_BODY, self._channel, len(piece)), piece, _END)
        return b"".join(frames)


def _table(headers: Mapping[str, Any]) -> bytes:
    pieces: list[bytes] = []
    encode_table(pieces, dict(headers))
    return b"".join(pieces)


def _short(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded  # ValueError beyond 255
