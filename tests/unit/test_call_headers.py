"""The headers of a call are, byte for byte, what pika would write, and every table is read as pika reads it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika.data import decode_table

from amqp_rpc import call_headers
from amqp_rpc.messages import BUDGET_HEADER, SENT_HEADER
from amqp_rpc.wire import table

OURS = {BUDGET_HEADER: 5_900, SENT_HEADER: 1_764_382_000_000}
HEADERS = st.dictionaries(st.text(max_size=20) | st.sampled_from(list(OURS)), st.text(max_size=20) | st.integers(0, 9))


@given(HEADERS, st.integers(1, 2**31 - 1), st.integers(2**31, 2**42), st.binary(max_size=9))
def test_they_are_what_pika_writes_and_reads(headers: dict[str, Any], budget: int, sent: int, around: bytes) -> None:
    written = call_headers.encode(headers, budget, sent)
    ours = {BUDGET_HEADER: budget, SENT_HEADER: sent}
    assert written == table(ours | {name: value for name, value in headers.items() if name not in ours})
    read = call_headers.decode(around + written + around, len(around))
    assert read == (headers | ours, len(around) + len(written))


@given(HEADERS, st.integers(0, 60))
def test_any_other_table_is_left_to_pika(headers: dict[str, Any], cut: int) -> None:
    for begin in ({}, {BUDGET_HEADER: 1}, {BUDGET_HEADER: "1", SENT_HEADER: 2**40}, {SENT_HEADER: 2**40} | OURS):
        written = table(begin | headers)
        assert call_headers.decode(written, 0) == decode_table(written, 0)
        with suppress(Exception):
            expected = decode_table(written[:cut], 0)
            assert call_headers.decode(written[:cut], 0) == expected


def test_a_table_that_is_cut_short_is_an_error() -> None:
    with pytest.raises(Exception, match="unpack_from"):
        call_headers.decode(call_headers.encode({"name": "value"}, 1, 2**40)[:-7], 0)
