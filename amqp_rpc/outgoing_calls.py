"""Calls that are about to leave, written in as few messages as their servers can share."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from amqp_rpc import call_headers
from amqp_rpc.messages import Call
from amqp_rpc.packs import part, shares
from amqp_rpc.wire import ChannelWriter


class _Outgoing(NamedTuple):
    correlation_id: str
    headers: bytes
    body: bytes
    budget_ms: int
    part: bytes
    """All but the budget, as it stands in a pack."""


class OutgoingCalls:
    """Of one channel. Lives on the I/O thread.

    :param reply_to: the address that the calls are answered to.
    """

    def __init__(self, writer: ChannelWriter, exchange: str, routing_key: str, reply_to: str) -> None:
        self._writer = writer
        self._publish = writer.publish(exchange, routing_key, mandatory=True)
        self._reply_to = reply_to
        self._calls: list[_Outgoing] = []

    def add(self, call: Call, budget_ms: int) -> None:
        """Take a call whose caller waits `budget_ms` milliseconds more.

        :raises Exception: it cannot be written; told here, so that it costs nobody else an answer.
        """
        headers = call_headers.encode(call.headers, budget_ms, time.time_ns() // 1_000_000)
        written = part(call.correlation_id, headers, call.body)
        self._calls.append(_Outgoing(call.correlation_id, headers, call.body, budget_ms, written))

    def messages(self, consumers: int) -> Iterator[tuple[bytes, list[str]]]:
        """The messages with all that were added, each once, and the correlation ids of the calls in them."""
        calls, self._calls = self._calls, []
        for share in shares(calls, len(calls), consumers):
            content = self._pack(share) if len(share) > 1 else self._request(share[0])
            yield self._publish + content, [call.correlation_id for call in share]

    def _request(self, call: _Outgoing) -> bytes:
        return self._writer.request(
            call.body,
            call.headers,
            correlation_id=call.correlation_id,
            reply_to=self._reply_to,
            expiration=call.budget_ms,
        )

    def _pack(self, calls: Sequence[_Outgoing]) -> bytes:
        return self._writer.pack_of_requests(
            (call.part for call in calls),
            reply_to=self._reply_to,
            expiration=max(call.budget_ms for call in calls),  # each has its own budget in its headers
        )
