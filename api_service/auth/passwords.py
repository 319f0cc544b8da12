"""Password hashing with argon2id."""

import secrets
import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MAX_PASSWORD_LENGTH: Final = 128
"""Characters; checked before hashing, so that nobody keeps the hasher busy with megabytes."""

_HASHES_AT_ONCE: Final = 2
"""Each takes 19 MiB and a core for about 20 ms."""


def argon2id() -> PasswordHasher:
    """OWASP's minimum for argon2id (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html)."""
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _nobodys_hash() -> str:
    return argon2id().hash(secrets.token_urlsafe())


class Passwords:
    """Hashes and verifies; every verification costs one hash, also when there is nothing to compare with."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2id()
        self._slots = threading.BoundedSemaphore(_HASHES_AT_ONCE)
        self._nobodys = hasher.hash(secrets.token_urlsafe()) if hasher else _nobodys_hash()

    def hash(self, password: str) -> str:
        with self._slots:
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` is the one behind `stored`; None (no such user) takes as long and is false."""
        with self._slots:
            try:
                self._hasher.verify(stored or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether `stored` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)
