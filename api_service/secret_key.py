"""Tells a key that can sign tokens from one that somebody else has, or could guess."""

import re
from typing import Final

DEVELOPMENT_KEY: Final = "for-development-only-never-in-production"
HOW_TO_MAKE_A_KEY: Final = "take 32 random bytes, from `openssl rand -hex 32`"

_MIN_BYTES: Final = 32
"""HS256 asks for a key of at least the size of its hash (https://www.rfc-editor.org/rfc/rfc7518#section-3.2)."""

_MIN_DIFFERENT: Final = 10
"""Of 64 random hexadecimal digits fewer than ten different ones are seen once in a million million keys."""

_PUBLISHED: Final = frozenset(
    {
        # https://flask.palletsprojects.com/en/stable/config/#SECRET_KEY
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        # https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    }
)
_PLACEHOLDERS: Final = (
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "placeholder",
    "yoursecret",
    "secretkey",
    "supersecret",
    "topsecret",
    "stringsecret",  # https://www.jwt.io/
    "example",
    "insecure",
    "development",
    "password",
)
"""As letters only. One in a hundred million keys of 64 random letters holds one of them, of hexadecimal ones none."""


def weakness_of_key(key: str) -> str | None:
    """What is wrong with `key`, as the rest of a sentence that does not show it; None when it will do."""
    if len(key.encode()) < _MIN_BYTES:
        return f"must have at least {_MIN_BYTES} bytes"
    letters = re.sub(r"[^a-z]", "", key.lower())
    if key.lower() in _PUBLISHED or any(word in letters for word in _PLACEHOLDERS):
        return "is a key that everybody knows, or a placeholder for one"
    if len(set(key)) < _MIN_DIFFERENT:
        return f"has fewer than {_MIN_DIFFERENT} different characters, and can be guessed"
    return None
