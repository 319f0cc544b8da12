"""Correlation ids that nobody can guess, taken from the system many at a time: asking it lets another thread run."""

import secrets
from typing import Final

_BYTES: Final = 16
_AT_ONCE: Final = 256


class CorrelationIds:
    """For any number of threads of one process; a fork would give both sides the same ids."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def new(self) -> str:
        """32 hexadecimal digits."""
        try:
            return self._left.pop()  # one step for all threads
        except IndexError:
            digits, length = secrets.token_hex(_BYTES * _AT_ONCE), 2 * _BYTES
            first, *others = (digits[at : at + length] for at in range(0, len(digits), length))
            self._left.extend(others)
            return first
