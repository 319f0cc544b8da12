"""The messages of a call as AMQP 0-9-1 has them on the wire.

For each message pika builds several objects and encodes every field anew, though most of the bytes are the same each
time. What is written here are the very bytes that pika would write; `tests/unit/test_wire.py` compares them.
https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 4.2.3 to 4.2.6.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pika import spec
from pika.data import encode_table
from pika.frame import Method
from pika.spec import BasicProperties

from amqp_rpc.packs import MESSAGE_TYPE

_FRAME: Final = struct.Struct(">BHI")  # type, channel, size
_CONTENT: Final = struct.Struct(">HHQH")  # class, weight, size of the body, flags
_ACK: Final = struct.Struct(">BHIIQBB")
_ACK_SIZE: Final = 13
_END: Final = bytes([spec.FRAME_END])
_TRANSIENT: Final = b"\x01"
_REPLY: Final = BasicProperties.FLAG_DELIVERY_MODE | BasicProperties.FLAG_CORRELATION_ID
_EXPIRING: Final = BasicProperties.FLAG_REPLY_TO | BasicProperties.FLAG_EXPIRATION
_REQUEST: Final = _REPLY | BasicProperties.FLAG_HEADERS | _EXPIRING
_PACK_OF_REPLIES: Final = BasicProperties.FLAG_DELIVERY_MODE | BasicProperties.FLAG_TYPE
_PACK_OF_REQUESTS: Final = _PACK_OF_REPLIES | _EXPIRING


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

    def request(self, body: bytes, headers: bytes, *, correlation_id: str, reply_to: str, expiration: int) -> bytes:
        """The content of a request; `headers` as from `table`, `expiration` in milliseconds.

        :raises ValueError: a text has more than 255 bytes.
        """
        strings = _short(correlation_id) + _short(reply_to) + _short(str(expiration))
        return self._content(_REQUEST, headers + _TRANSIENT + strings, body)

    def pack_of_requests(self, parts: Iterable[bytes], *, reply_to: str, expiration: int) -> bytes:
        """The content of a message with several requests; see `amqp_rpc.packs`."""
        properties = _TRANSIENT + _short(reply_to) + _short(str(expiration)) + _PACK
        return self._content(_PACK_OF_REQUESTS, properties, b"".join(parts))

    def reply(self, body: bytes, headers: bytes, *, correlation_id: str) -> bytes:
        """The content of a reply; `headers` as from `table`, or nothing.

        :raises ValueError: the correlation id has more than 255 bytes.
        """
        flags = _REPLY | BasicProperties.FLAG_HEADERS if headers else _REPLY
        return self._content(flags, headers + _TRANSIENT + _short(correlation_id), body)

    def pack_of_replies(self, parts: Iterable[bytes]) -> bytes:
        """The content of a message with several replies."""
        return self._content(_PACK_OF_REPLIES, _TRANSIENT + _PACK, b"".join(parts))

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


def table(headers: Mapping[str, Any]) -> bytes:
    """Headers as they stand in a message."""
    pieces: list[bytes] = []
    encode_table(pieces, dict(headers))
    return b"".join(pieces)


def _short(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded  # ValueError beyond 255


_PACK: Final = _short(MESSAGE_TYPE)
