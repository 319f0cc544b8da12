"""Several calls in one message: what is packed comes out again, and what is no pack is said to be none."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amqp_rpc.packs import MESSAGE_TYPE, MOST_IN_ONE, MalformedPackError, Part, part, parts_in, shares
from amqp_rpc.wire import table

IDS = st.text(max_size=60)
HEADERS = st.dictionaries(st.text(max_size=20), st.text(max_size=20) | st.integers(-(2**40), 2**40) | st.booleans())
PARTS = st.lists(st.builds(Part, IDS, HEADERS, st.binary(max_size=100)), min_size=1, max_size=10)


def parts_of(data: bytes, most: int | None = None) -> list[Part]:
    return parts_in(MESSAGE_TYPE, None, None, data, most=most)


def pack(parts: list[Part]) -> bytes:
    return b"".join(part(correlation_id, table(headers), body) for correlation_id, headers, body in parts)


@given(PARTS)
def test_what_is_packed_comes_out_again(parts: list[Part]) -> None:
    assert parts_of(pack(parts)) == parts


@given(PARTS, st.data())
def test_a_pack_that_is_cut_short_is_none_or_has_fewer_parts(parts: list[Part], data: st.DataObject) -> None:
    whole = pack(parts)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        left = parts_of(cut)
    except MalformedPackError:
        return
    assert left == parts[: len(left)]
    assert len(left) < len(parts)


@given(st.binary(max_size=200))
def test_any_bytes_are_parts_or_said_to_be_no_pack(data: bytes) -> None:
    with suppress(MalformedPackError):
        assert parts_of(data)


def with_table(fields: bytes) -> bytes:
    """A pack of one part whose headers are these bytes."""
    return part("c" * 32, struct.pack(">I", len(fields)) + fields, b"{}")


def nested(levels: int) -> bytes:
    fields = b""
    for _ in range(levels):
        fields = b"\x01nF" + struct.pack(">I", len(fields)) + fields
    return fields


@pytest.mark.parametrize(
    "data",
    [
        b"",
        with_table(b"\x01tT" + struct.pack(">Q", 2**63)),
        with_table(b"\x01tT" + struct.pack(">Q", 2**60)),
        with_table(b"\x01dd" + struct.pack(">d", float("inf"))) + b"x",
        with_table(nested(2000)),
        with_table(b"\x01?Z"),
        with_table(b"\x01\xff"),
        part("c" * 32, table({}), b"{}") + b"\x01",
        struct.pack(">BII", 1, 0, 2**32 - 1) + b"c",
    ],
    ids=["nothing", "far date", "late date", "tail", "nested", "unknown type", "cut field", "cut part", "too long"],
)
def test_what_cannot_be_read_is_said_to_be_no_pack(data: bytes) -> None:
    with pytest.raises(MalformedPackError):
        parts_of(data)


def test_a_pack_with_too_many_parts_is_not_read() -> None:
    parts = [Part("c", {}, b"{}")] * (MOST_IN_ONE + 1)
    assert parts_of(pack(parts)) == parts
    assert parts_of(pack(parts[1:]), most=MOST_IN_ONE) == parts[1:]
    with pytest.raises(MalformedPackError):
        parts_of(pack(parts), most=MOST_IN_ONE)


@pytest.mark.parametrize("body", [b"one", b""])
def test_any_other_message_is_itself(body: bytes) -> None:
    assert parts_in(None, "c", None, body) == [Part("c", {}, body)]


@pytest.mark.parametrize(
    ("waiting", "consumers", "sizes"),
    [
        (1, 1, [1]),
        (5, 1, [5]),
        (20, 1, [7, 7, 6]),
        (5, 2, [3, 2]),
        (20, 2, [5, 5, 5, 5]),
        (8, 8, [1] * 8),
        (3, 8, [1] * 3),
        (10, 8, [2, 2, 1, 1, 1, 1, 1, 1]),
        (3, 0, [1] * 3),  # nobody is known to consume
        (0, 1, []),
    ],
)
def test_no_consumer_gets_more_than_one_call_more_than_another(waiting: int, consumers: int, sizes: list[int]) -> None:
    calls = list(range(waiting))
    dealt = list(shares(calls, waiting, consumers))
    assert [len(each) for each in dealt] == sizes
    assert [call for each in dealt for call in each] == calls
    assert max(sizes, default=0) <= MOST_IN_ONE
