"""Reads what comes with every call straight from the bytes: deliveries with their content, and confirms.

pika makes an object of each frame and takes it through its table of callbacks; three frames of a delivery and one of a
confirm cost more than all else that is done for a call. What is not whole in the buffer, or not of the usual form, is
left to pika, which handles it as it always did; `tests/unit/test_wire_reader.py` compares the two.
https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 4.2.3 to 4.2.6.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pika import spec
from pika.spec import BasicProperties

from amqp_rpc import call_headers

_METHOD: Final = struct.Struct(">BHII")  # type, channel, size, class and method
_DELIVERY: Final = struct.Struct(">QB")  # tag, redelivered
_CONFIRM: Final = struct.Struct(">QBB")  # tag, multiple, end
_HEADER: Final = struct.Struct(">BHIHHQH")  # type, channel, size, class, weight, size of the body, flags
_BODY: Final = struct.Struct(">BHI")  # type, channel, size

_BEFORE_PAYLOAD: Final = _BODY.size
_HANDLED: Final = (
    BasicProperties.FLAG_HEADERS
    | BasicProperties.FLAG_DELIVERY_MODE
    | BasicProperties.FLAG_CORRELATION_ID
    | BasicProperties.FLAG_REPLY_TO
    | BasicProperties.FLAG_EXPIRATION
    | BasicProperties.FLAG_TYPE
)


class Message(NamedTuple):
    """A delivery with its content. pika gives bytes where a text is no UTF-8."""

    tag: int
    redelivered: bool
    correlation_id: str | None
    reply_to: str | None
    headers: Mapping[Any, Any] | None
    type: str | None
    body: bytes


OnMessage = Callable[[Message], None]
OnConfirm = Callable[[int, bool], None]
"""Delivery tag, and whether it stands for all before it too."""


class ChannelReader:
    """Of one channel with one consumer.

    :param on_confirm: for acknowledgements of the broker; refusals are left to pika.
    """

    def __init__(self, channel: int, on_message: OnMessage, on_confirm: OnConfirm | None = None) -> None:
        self._channel = channel
        self._on_message = on_message
        self._on_confirm = on_confirm

    def read(self, buffer: bytes, begin: int) -> int:
        """Handle what begins there; returns where it ends, or `begin` when it is for pika."""
        if len(buffer) - begin < _METHOD.size:
            return begin
        kind, channel, size, method = _METHOD.unpack_from(buffer, begin)
        if channel != self._channel or kind != spec.FRAME_METHOD:
            return begin
        end: int = begin + _BEFORE_PAYLOAD + size + 1
        if end > len(buffer) or buffer[end - 1] != spec.FRAME_END:
            return begin
        if method == spec.Basic.Deliver.INDEX:
            return self._read_delivery(buffer, begin, end)
        if method == spec.Basic.Ack.INDEX and self._on_confirm is not None:
            tag, multiple, _ = _CONFIRM.unpack_from(buffer, begin + _METHOD.size)
            self._on_confirm(tag, bool(multiple))
            return end
        return begin

    def _read_delivery(self, buffer: bytes, begin: int, end: int) -> int:
        if len(buffer) - end < _HEADER.size:
            return begin
        kind, channel, size, _, _, body_size, flags = _HEADER.unpack_from(buffer, end)
        header_end = end + _BEFORE_PAYLOAD + size + 1
        if kind != spec.FRAME_HEADER or channel != self._channel or flags & ~_HANDLED or header_end > len(buffer):
            return begin
        body_end = self._end_of_body(buffer, header_end, body_size)
        if body_end is None or buffer[header_end - 1] != spec.FRAME_END:
            return begin
        try:
            properties = _properties(buffer, end + _HEADER.size, flags)
        except UnicodeDecodeError:
            return begin
        after_consumer_tag = begin + _METHOD.size + 1 + buffer[begin + _METHOD.size]
        tag, redelivered = _DELIVERY.unpack_from(buffer, after_consumer_tag)
        body = buffer[header_end + _BEFORE_PAYLOAD : body_end - 1] if body_size else b""
        self._on_message(Message(tag, bool(redelivered & 1), *properties, body))
        return body_end

    def _end_of_body(self, buffer: bytes, begin: int, body_size: int) -> int | None:
        """None unless the whole body is there and in one frame."""
        if body_size == 0:
            return begin
        end = begin + _BEFORE_PAYLOAD + body_size + 1
        if end > len(buffer) or buffer[end - 1] != spec.FRAME_END:
            return None
        expected = (spec.FRAME_BODY, self._channel, body_size)
        return end if _BODY.unpack_from(buffer, begin) == expected else None


def _properties(
    buffer: bytes, at: int, flags: int
) -> tuple[str | None, str | None, Mapping[Any, Any] | None, str | None]:
    """Correlation id, reply-to, headers and type; the rest is of no use to us."""
    headers = correlation_id = reply_to = kind = None
    if flags & BasicProperties.FLAG_HEADERS:
        headers, at = call_headers.decode(buffer, at)
    if flags & BasicProperties.FLAG_DELIVERY_MODE:
        at += 1
    if flags & BasicProperties.FLAG_CORRELATION_ID:
        correlation_id, at = _short(buffer, at)
    if flags & BasicProperties.FLAG_REPLY_TO:
        reply_to, at = _short(buffer, at)
    if flags & BasicProperties.FLAG_TYPE:
        if flags & BasicProperties.FLAG_EXPIRATION:
            at += 1 + buffer[at]
        kind, at = _short(buffer, at)
    return correlation_id, reply_to, headers, kind


def _short(buffer: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + buffer[at]
    return buffer[at + 1 : end].decode(), end
