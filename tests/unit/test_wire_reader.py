"""What is read by hand is what pika reads, whatever comes, and wherever the stream is cut into pieces."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from pika.frame import Body, Header, Heartbeat, Method
from pika.spec import BasicProperties

from amqp_rpc.corked_connection import CorkedConnection
from amqp_rpc.wire_reader import ChannelReader

CHANNEL = 7
TEXTS = st.text(max_size=20)
CHANNELS = st.sampled_from([CHANNEL, CHANNEL, CHANNEL, 1, 263])
PROPERTIES = st.builds(
    BasicProperties,
    content_type=st.none() | TEXTS,
    headers=st.none() | st.dictionaries(TEXTS, TEXTS | st.integers(-(2**40), 2**40) | st.booleans(), max_size=3),
    delivery_mode=st.none() | st.sampled_from([1, 2]),
    priority=st.none() | st.integers(0, 255),
    correlation_id=st.none() | TEXTS | st.binary(max_size=5),
    reply_to=st.none() | TEXTS,
    expiration=st.none() | TEXTS,
    type=st.none() | TEXTS,
    app_id=st.none() | TEXTS,
)
Heard = list[tuple[Any, ...]]


def content(channel: int, method: Any, properties: BasicProperties, pieces: list[bytes]) -> bytes:
    frames = [
        Method(channel, method),
        Header(channel, sum(map(len, pieces)), properties),
        *(Body(channel, piece) for piece in pieces),
    ]
    return b"".join(frame.marshal() for frame in frames)


DELIVERIES = st.builds(
    lambda channel, tag, redelivered, texts, properties, pieces: content(
        channel, spec.Basic.Deliver(texts[0], tag, redelivered, texts[1], texts[2]), properties, pieces
    ),
    CHANNELS,
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.tuples(TEXTS, TEXTS, TEXTS),
    PROPERTIES,
    st.lists(st.binary(min_size=1, max_size=40), max_size=2),
)
RETURNS = st.builds(
    lambda channel, properties, body: content(
        channel, spec.Basic.Return(312, "NO_ROUTE", "", "x"), properties, [body]
    ),
    CHANNELS,
    PROPERTIES,
    st.binary(min_size=1, max_size=20),
)
CONFIRMS = st.builds(
    lambda channel, kind, tag, multiple: Method(channel, kind(tag, multiple)).marshal(),
    CHANNELS,
    st.sampled_from([spec.Basic.Ack, spec.Basic.Nack]),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
STREAMS = st.lists(DELIVERIES | DELIVERIES | CONFIRMS | RETURNS | st.just(Heartbeat().marshal()), max_size=8)


class Connection(CorkedConnection):
    """Without a socket: what pika would do with a frame is noted."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._frame_buffer = b""
        self.bytes_received = 0
        self._contents: dict[int, list[Any]] = {}
        self.for_pika = 0

    def _process_frame(self, frame: Any) -> None:
        self.for_pika += 1
        if isinstance(frame, Method) and isinstance(frame.method, spec.Basic.Ack | spec.Basic.Nack):
            self._note_confirm(frame)
        elif not isinstance(frame, Heartbeat):
            parts = self._contents.setdefault(frame.channel_number, [])
            parts.append(frame)
            if len(parts) > 1 and sum(len(part.fragment) for part in parts[2:]) == parts[1].body_size:
                self._note_content(self._contents.pop(frame.channel_number))

    def _note_confirm(self, frame: Any) -> None:
        kind = "ack" if isinstance(frame.method, spec.Basic.Ack) else "nack"
        self._heard.append((kind, frame.channel_number, frame.method.delivery_tag, frame.method.multiple))

    def _note_content(self, parts: list[Any]) -> None:
        method, properties, body = parts[0].method, parts[1].properties, b"".join(part.fragment for part in parts[2:])
        kept = (properties.correlation_id, properties.reply_to, properties.headers, properties.type, body)
        if isinstance(method, spec.Basic.Deliver):
            kept = (method.delivery_tag, method.redelivered, *kept)
        self._heard.append((method.NAME, parts[0].channel_number, *kept))


def read(stream: bytes, cuts: list[int], *, by_hand: bool) -> tuple[Heard, int, int]:
    """What was heard, how many bytes were counted, and how many frames were left to pika."""
    heard: Heard = []
    connection = Connection(heard)
    if by_hand:
        connection.read_with(
            ChannelReader(
                CHANNEL,
                lambda delivery: heard.append((spec.Basic.Deliver.NAME, CHANNEL, *delivery)),
                lambda *confirm: heard.append(("ack", CHANNEL, *confirm)),
            )
        )
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for begin, end in pairwise(edges):
        connection._on_data_available(stream[begin:end])
    assert connection._frame_buffer == b""
    return heard, connection.bytes_received, connection.for_pika


@given(STREAMS, st.lists(st.integers(0, 5000), max_size=6))
def test_the_same_is_heard_in_the_same_order(stream: list[bytes], cuts: list[int]) -> None:
    joined = b"".join(stream)
    assert read(joined, cuts, by_hand=True)[:2] == read(joined, cuts, by_hand=False)[:2]


def test_the_usual_is_not_left_to_pika() -> None:
    request = BasicProperties(
        headers={"x-budget-ms": 6000}, delivery_mode=1, correlation_id="c", reply_to="r", expiration="6000"
    )
    stream = (
        content(CHANNEL, spec.Basic.Deliver("ctag", 1, False, "exchange", "key"), request, [b"{}"])
        + Method(CHANNEL, spec.Basic.Ack(1)).marshal()
        + content(
            CHANNEL,
            spec.Basic.Deliver("ctag", 2, False, "", "key"),
            BasicProperties(delivery_mode=1, correlation_id="c"),
            [],
        )
        + content(
            CHANNEL,
            spec.Basic.Deliver("ctag", 3, False, "exchange", "key"),
            BasicProperties(delivery_mode=1, reply_to="r", expiration="6000", type="pack"),
            [b"{}"],
        )
    )
    heard, _, for_pika = read(stream, [], by_hand=True)
    assert heard[0] == ("Basic.Deliver", CHANNEL, 1, False, "c", "r", {"x-budget-ms": 6000}, None, b"{}")
    assert [each[0] for each in heard] == ["Basic.Deliver", "ack", "Basic.Deliver", "Basic.Deliver"]
    assert heard[3] == ("Basic.Deliver", CHANNEL, 3, False, None, "r", None, "pack", b"{}")
    assert for_pika == 0
