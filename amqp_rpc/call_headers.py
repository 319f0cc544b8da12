"""The headers of a call as bytes: our two numbers first, at fixed places, then what the caller adds.

They come with every call, and pika's writer and reader, which go through a table field by field, take longer for them
than for the rest of the message. What is written here is a table as any other; one that begins differently is left to
pika.
"""

import struct
from collections.abc import Mapping
from typing import Any, Final

from pika.data import decode_short_string, decode_table, decode_value, encode_table

from amqp_rpc.messages import BUDGET_HEADER, SENT_HEADER

_NAMES: Final = (BUDGET_HEADER.encode(), SENT_HEADER.encode())
_OURS: Final = struct.Struct(f">I {len(_NAMES[0]) + 2}si {len(_NAMES[1]) + 2}sq")
"""The size of the table; name and type, and value, of both."""
_BUDGET: Final = bytes([len(_NAMES[0])]) + _NAMES[0] + b"I"
_SENT: Final = bytes([len(_NAMES[1])]) + _NAMES[1] + b"l"
_SIZE: Final = _OURS.size - 4
_RESERVED: Final = {BUDGET_HEADER, SENT_HEADER}


def encode(headers: Mapping[str, Any], budget_ms: int, sent_ms: int) -> bytes:
    """The table with the caller's `headers` and ours, as it stands in a message.

    :raises Exception: a header cannot be written.
    """
    if not headers:
        return _OURS.pack(_SIZE, _BUDGET, budget_ms, _SENT, sent_ms)
    pieces: list[bytes] = []
    encode_table(pieces, {name: value for name, value in headers.items() if name not in _RESERVED})
    size = _SIZE + sum(map(len, pieces[1:]))  # the first is the size of the caller's
    return b"".join((_OURS.pack(size, _BUDGET, budget_ms, _SENT, sent_ms), *pieces[1:]))


def decode(buffer: bytes, at: int) -> tuple[Mapping[Any, Any], int]:
    """The table that begins there, of a call or of anything else, and where it ends.

    :raises Exception: what stands there is no table.
    """
    if len(buffer) - at < _OURS.size:
        return decode_table(buffer, at)
    size, budget_name, budget_ms, sent_name, sent_ms = _OURS.unpack_from(buffer, at)
    if budget_name != _BUDGET or sent_name != _SENT or size < _SIZE:
        return decode_table(buffer, at)
    headers: dict[Any, Any] = {BUDGET_HEADER: budget_ms, SENT_HEADER: sent_ms}
    at, end = at + _OURS.size, at + 4 + size
    while at < end:
        name, at = decode_short_string(buffer, at)
        headers[name], at = decode_value(buffer, at)
    return headers, at
