"""Where an answer ends, in the bytes of a connection that stays open; for clients that cost little."""

import re
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def body_end(received: bytes | bytearray) -> int | None:
    """Where the answer that `received` begins with ends; None while that is not known.

    :raises ValueError: its head does not tell the length of its body.
    """
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = _LENGTH.search(received, 0, head)
    if length is None:
        raise ValueError("an answer without Content-Length")
    end = head + 4 + int(length[1])
    return end if len(received) >= end else None
