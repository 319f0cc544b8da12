"""What is written by hand is, byte for byte, what pika writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import DeliveryMode, spec
from pika.frame import Body, Header, Method
from pika.spec import BasicProperties

from amqp_rpc.packs import MESSAGE_TYPE
from amqp_rpc.wire import ChannelWriter, table

LARGEST = 100
TEXTS = st.text(max_size=60)
CHANNELS = st.integers(1, 65535)
BODIES = st.binary(max_size=3 * LARGEST)


def content(channel: int, properties: BasicProperties, body: bytes) -> bytes:
    pieces = [body[begin : begin + LARGEST] for begin in range(0, len(body), LARGEST)]
    frames = [Header(channel, len(body), properties), *(Body(channel, piece) for piece in pieces)]
    return b"".join(frame.marshal() for frame in frames)


@given(
    CHANNELS, BODIES, TEXTS, TEXTS, st.integers(0, 2**31 - 1), st.dictionaries(TEXTS, TEXTS | st.integers(0, 2**40))
)
def test_a_request(
    channel: int, body: bytes, correlation_id: str, reply_to: str, expiration: int, headers: dict[str, object]
) -> None:
    written = ChannelWriter(channel, LARGEST).request(
        body, table(headers), correlation_id=correlation_id, reply_to=reply_to, expiration=expiration
    )
    properties = BasicProperties(
        headers=headers,
        delivery_mode=DeliveryMode.Transient.value,
        correlation_id=correlation_id,
        reply_to=reply_to,
        expiration=str(expiration),
    )
    assert written == content(channel, properties, body)


@given(CHANNELS, BODIES, TEXTS, st.dictionaries(TEXTS, st.booleans()))
def test_a_reply(channel: int, body: bytes, correlation_id: str, headers: dict[str, bool]) -> None:
    encoded = table(headers) if headers else b""
    written = ChannelWriter(channel, LARGEST).reply(body, encoded, correlation_id=correlation_id)
    properties = BasicProperties(
        headers=headers or None, delivery_mode=DeliveryMode.Transient.value, correlation_id=correlation_id
    )
    assert written == content(channel, properties, body)


@given(CHANNELS, st.lists(st.binary(max_size=LARGEST)), TEXTS, st.integers(0, 2**31 - 1))
def test_a_pack_of_requests(channel: int, parts: list[bytes], reply_to: str, expiration: int) -> None:
    written = ChannelWriter(channel, LARGEST).pack_of_requests(parts, reply_to=reply_to, expiration=expiration)
    properties = BasicProperties(
        delivery_mode=DeliveryMode.Transient.value, reply_to=reply_to, expiration=str(expiration), type=MESSAGE_TYPE
    )
    assert written == content(channel, properties, b"".join(parts))


@given(CHANNELS, st.lists(st.binary(max_size=LARGEST)))
def test_a_pack_of_replies(channel: int, parts: list[bytes]) -> None:
    properties = BasicProperties(delivery_mode=DeliveryMode.Transient.value, type=MESSAGE_TYPE)
    written = ChannelWriter(channel, LARGEST).pack_of_replies(parts)
    assert written == content(channel, properties, b"".join(parts))


@given(CHANNELS, TEXTS, TEXTS, st.booleans())
def test_where_it_goes(channel: int, exchange: str, routing_key: str, mandatory: bool) -> None:  # noqa: FBT001  a given
    method = spec.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    written = ChannelWriter(channel, LARGEST).publish(exchange, routing_key, mandatory=mandatory)
    assert written == Method(channel, method).marshal()


@given(CHANNELS, st.integers(1, 2**64 - 1))
def test_an_acknowledgement(channel: int, tag: int) -> None:
    assert ChannelWriter(channel, LARGEST).ack(tag) == Method(channel, spec.Basic.Ack(tag)).marshal()


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        ChannelWriter(1, LARGEST).reply(b"", b"", correlation_id="x" * 256)
