"""The request id: one random name for a call, from the HTTP edge through the broker to the provider and back."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bound_contextvars, get_contextvars


def new_request_id() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def current_request_id() -> str | None:
    """The id bound in this context, if any."""
    request_id = get_contextvars().get("request_id")
    return request_id if isinstance(request_id, str) else None


@contextmanager
def bind_request_id(request_id: str) -> Iterator[None]:
    """Make `request_id` the current one: every log line of this context carries it."""
    with bound_contextvars(request_id=request_id):
        yield
