"""Several calls, or several replies, in one message.

What a message costs the broker and both sides hardly depends on its bytes. Calls that wait to leave at the same moment
therefore leave as one message, each with its own correlation id, headers and body; each is handled, answered and timed
by itself (docs/adr/0012). Calls that come one after the other travel alone.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from amqp_rpc import call_headers

MESSAGE_TYPE: Final = "pack"
"""The `type` property of a message that holds several."""

MOST_IN_ONE: Final = 8
"""As many as a server has threads by default: one that is idle can begin with all calls of a message at once."""

_SIZES: Final = struct.Struct(">BII")  # of the correlation id, the headers and the body

Item = TypeVar("Item")


class Part(NamedTuple):
    """One call or one reply."""

    correlation_id: str
    headers: Mapping[Any, Any]
    body: bytes


class MalformedPackError(Exception):
    """The body of a message is no pack."""


def part(correlation_id: str, table: bytes, body: bytes) -> bytes:
    """One part as it stands in a pack; a pack is its parts one after the other.

    :param table: the headers, encoded (`amqp_rpc.wire.table`).
    """
    name = correlation_id.encode()
    return b"".join((_SIZES.pack(len(name), len(table), len(body)), name, table, body))


def parts_in(
    kind: str | None,
    correlation_id: str | None,
    headers: Mapping[Any, Any] | None,
    body: bytes,
    *,
    most: int | None = None,
) -> list[Part]:
    """What any message holds: the parts of a pack, or itself. The bytes may be anybody's.

    :param kind: the property `type` of the message.
    :param most: a pack with more parts than that is malformed; None for any number.
    :raises MalformedPackError: it says that it is a pack, and is none.
    """
    if kind != MESSAGE_TYPE:
        return [Part(correlation_id or "", headers or {}, body)]
    try:
        parts = list(islice(_parts(body), most if most is None else most + 1))
    except Exception as error:  # pika's reader of tables raises a dozen kinds, and none may end the I/O thread
        raise MalformedPackError(repr(error)) from error
    if not parts or (most is not None and len(parts) > most):
        raise MalformedPackError("no part, or too many")
    return parts


def _parts(pack: bytes) -> Iterator[Part]:
    at = 0
    while at < len(pack):
        of_name, of_table, of_body = _SIZES.unpack_from(pack, at)
        name_at = at + _SIZES.size
        table_at = name_at + of_name
        body_at = table_at + of_table
        at = body_at + of_body
        if at > len(pack):
            raise MalformedPackError("cut short")
        headers, end = call_headers.decode(pack, table_at)
        if end != body_at:
            raise MalformedPackError("headers of another size")
        yield Part(pack[name_at:table_at].decode(), headers, pack[body_at:at])


def shares(items: Iterable[Item], count: int, consumers: int) -> Iterator[Sequence[Item]]:
    """Deal `count` items to packs so that each consumer gets as many as the next one, or one more.

    The broker deals messages in turn and does not know how much is in them; a consumer that gets twice as many calls
    as the next one would let them wait. While nobody is known to consume, each travels alone.
    """
    packs = min(count, consumers * -(-count // (MOST_IN_ONE * consumers))) if consumers > 0 else count
    left = iter(items)
    for number in range(packs):
        yield tuple(islice(left, count // packs + (number < count % packs)))
