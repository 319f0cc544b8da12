"""The two names that go with a call from process to process: its request id, and its place in a W3C trace.

https://www.w3.org/TR/trace-context/#traceparent-header. Only what the headers may hold; nothing is bound or made here.
"""

import re
from collections.abc import Mapping
from typing import Final

REQUEST_ID: Final = "x-request-id"
"""Header of a request message; over HTTP upper and lower case are the same."""

TRACEPARENT: Final = "traceparent"
"""The header, over HTTP and in a request message."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TRACEPARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<ids>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-[\x21-\x7e]{0,200})?",
    re.ASCII,
)
_SAMPLED: Final = 1


def request_id_in(text: object) -> str | None:
    """`text`, when it can be a request id; everything else would not do for a log line."""
    return text if isinstance(text, str) and _REQUEST_ID.fullmatch(text) else None


def traceparent_in(text: object) -> str | None:
    """The place in a trace as version 00 writes it; None when `text` is no traceparent.

    A later version may say more, but begins with the same; what we do not know of it does not go on.
    """
    match = _TRACEPARENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    if match["version"] == "00":
        return None if match["more"] else match[0]
    return f"00-{match['ids']}-{int(match['flags'], 16) & _SAMPLED:02x}"


def trace_id_of(traceparent: str) -> str:
    """The name of the whole trace: 32 hexadecimal digits."""
    return traceparent[3:35]


def names_in(headers: Mapping[str, object]) -> dict[str, str]:
    """What a log line says of the call that a message is for: `request_id` and `trace_id`, as far as it has them."""
    names = {}
    if request_id := request_id_in(headers.get(REQUEST_ID)):
        names["request_id"] = request_id
    if traceparent := traceparent_in(headers.get(TRACEPARENT)):
        names["trace_id"] = trace_id_of(traceparent)
    return names
