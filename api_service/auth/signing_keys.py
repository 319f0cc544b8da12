"""The key that signs tokens, and the one that is still, or already, accepted while it is replaced.

A token names its key in the header `kid` (https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4), so that each is
checked with one key and no other.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """`fallback` signs nothing; it is the key before this one, or the next, and empty when there is none."""

    current: str = field(repr=False)
    fallback: str = field(default="", repr=False)

    @property
    def current_id(self) -> str:
        """The `kid` of the tokens that are made now."""
        return _id_of(self.current)

    def key_for(self, header: Mapping[str, Any]) -> str | None:
        """The key for a token with that (not yet verified) header; None for one that nobody here knows.

        A token that names none is checked with the current key.
        """
        named = header.get("kid")
        if named is None or named == self.current_id:
            return self.current
        return self.fallback if self.fallback and named == _id_of(self.fallback) else None


def _id_of(key: str) -> str:
    """Tells keys apart. Like every signature, it lets nobody find a key of 32 random bytes."""
    return hashlib.sha256(b"stock-quotes key id:" + key.encode()).hexdigest()[:16]
