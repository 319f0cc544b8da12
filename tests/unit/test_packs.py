"""Several calls in one message: what is packed comes out again, and what is no pack is said to be none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amqp_rpc.packs import MOST_IN_ONE, MalformedPackError, Part, part, parts_of, shares
from amqp_rpc.wire import table

IDS = st.text(max_size=60)
HEADERS = st.dictionaries(st.text(max_size=20), st.text(max_size=20) | st.integers(-(2**40), 2**40) | st.booleans())
PARTS = st.lists(st.builds(Part, IDS, HEADERS, st.binary(max_size=100)), min_size=1, max_size=10)


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


def test_no_bytes_are_no_pack() -> None:
    with pytest.raises(MalformedPackError):
        parts_of(b"")


@pytest.mark.parametrize(
    ("waiting", "consumers", "sizes"),
    [
        (1, 1, [1]),
        (5, 1, [5]),
        (20, 1, [8, 8, 4]),
        (5, 2, [3, 2]),
        (8, 8, [1] * 8),
        (3, 8, [1] * 3),
        (12, 8, [2] * 6),
        (3, 0, [1] * 3),  # nobody is known to consume
        (0, 1, []),
    ],
)
def test_calls_are_dealt_in_equal_shares(waiting: int, consumers: int, sizes: list[int]) -> None:
    calls = list(range(waiting))
    dealt = list(shares(calls, waiting, consumers))
    assert [len(each) for each in dealt] == sizes
    assert [call for each in dealt for call in each] == calls
    assert max(sizes, default=0) <= MOST_IN_ONE
