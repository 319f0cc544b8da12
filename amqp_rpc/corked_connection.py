"""The one file that reaches below pika's public interface: many frames in one socket write, and a hard abort.

pika hands each frame (method, header, body) to the transport by itself, and each costs a `send`. Holding the frames
of everything that is ready back and writing them once more than doubles the calls per second.
`_adapter_emit_data` is what pika's own adapters override; `tests/unit/test_corked_connection.py` fails when a new
pika no longer has it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pika import SelectConnection


class CorkedConnection(SelectConnection):
    """A `SelectConnection` whose output can be held back and written in one piece."""

    _held: list[bytes] | None = None

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Everything sent inside leaves in one write at the end."""
        held: list[bytes] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            if held:
                self._adapter_emit_data(b"".join(held))

    def abort(self, error: Exception) -> None:
        """Drop the connection without the closing handshake, which a dead peer would never finish."""
        self._terminate_stream(error)  # type: ignore[attr-defined]  # the stubs list public names only

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        else:
            super()._adapter_emit_data(data)  # type: ignore[misc]  # as above
