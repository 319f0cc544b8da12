"""Access tokens that this process has verified: the same bytes pass again, until they expire.

To verify a token takes a sixth of what a small call costs. Only that is remembered: whether the session has ended and
whether the user is active is read from the database on each request, as ever.
"""

import hashlib
import threading
import time
from typing import Final

from api_service.sessions import SessionToken

_MOST: Final = 4096
"""With more tokens in use at a time most are verified anew each time. One takes about half a kilobyte here."""


class VerifiedTokens:
    """Of one signing key. Holds digests, so that no token can be read from the process's memory for long."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._tokens: dict[bytes, tuple[SessionToken, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, header: str, token: SessionToken, expires_at: float) -> None:
        """Remember that the request header `header` carries `token`; `expires_at` in seconds since 1970."""
        if expires_at <= time.time():
            return
        with self._lock:
            self._tokens[_digest(header)] = (token, expires_at)
            if len(self._tokens) > self._most:
                del self._tokens[next(iter(self._tokens))]  # the oldest

    def get(self, header: str) -> SessionToken | None:
        """The token of `header`, if it was verified and has not expired. One read of a dict needs no lock."""
        token, expires_at = self._tokens.get(_digest(header), (None, 0.0))
        return token if time.time() < expires_at else None


def _digest(header: str) -> bytes:
    return hashlib.sha256(header.encode()).digest()
