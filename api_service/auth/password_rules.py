"""What a new password must be: long enough, and not to be guessed."""

import secrets
import threading
from typing import Any, Final

from api_service.auth.passwords import MAX_PASSWORD_LENGTH

MIN_PASSWORD_LENGTH: Final = 12
"""Characters, of any kind and taken as they are."""

_ENOUGH: Final = 3
"""zxcvbn's "safely unguessable": 10^8 guesses and more (https://github.com/dropbox/zxcvbn#usage)."""

_OUR_WORDS: Final = ("stock", "stocks", "quote", "quotes", "stockquotes", "correct horse battery staple")
"""What a guesser of passwords for this service tries first, beside the user's name."""

_BESIDE_THE_NAME: Final = 8
"""Characters that a password has beside the name of its user, however often that stands in it."""

_SCORED: Final = 72
"""Characters that zxcvbn takes; a longer password is judged by its beginning."""

_SCORED_WITH_MANY_SIGNS: Final = 24
_MANY_SIGNS: Final = 8
_SIGNS_LIKE_LETTERS: Final = frozenset("0123456789@({[<!|$+%")
"""zxcvbn tries every reading of them as letters. With all of them in 72 characters that takes seconds; with up to
eight, or in 24 characters, a third of a second at most."""

_GENERATED_BYTES: Final = 18  # 144 bits, 24 characters

_one_at_a_time: Final = threading.Lock()
"""zxcvbn keeps `user_inputs` in a table of its module."""


class PasswordRefusedError(ValueError):
    """A password that nobody should have; the text says, for people, what to choose instead."""


def check_password(password: str, username: str) -> None:
    """Check a new password of the user `username`.

    :raises PasswordRefusedError: it has fewer than 12 or more than 128 characters, or is too easy to guess.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise PasswordRefusedError(
            f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters; this one has {len(password)}."
        )
    beside_the_name = password.casefold().replace(username.casefold(), "")
    if len(beside_the_name) < _BESIDE_THE_NAME or _score(password, username) < _ENOUGH:
        raise PasswordRefusedError(
            "This password is too easy to guess. Take four or more words that do not belong together,"
            " or let a password manager make one; no names, dates, or rows of keys."
        )


def generate_password() -> str:
    """A random password that passes the rules, and that no command line takes for an option."""
    return secrets.token_urlsafe(_GENERATED_BYTES).replace("-", "_")


def _score(password: str, username: str) -> int:
    """From 0 (guessed at once) to 4."""
    # Its word lists cost 40 ms, and only a new password needs them.
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # it ships no types

    many_signs = len(_SIGNS_LIKE_LETTERS & set(password[:_SCORED])) > _MANY_SIGNS
    scored = password[: _SCORED_WITH_MANY_SIGNS if many_signs else _SCORED]
    with _one_at_a_time:
        result: dict[str, Any] = zxcvbn(scored, user_inputs=[username, *_OUR_WORDS])
    return int(result["score"])
