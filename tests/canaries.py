"""What a secret looks like in a log.

A secret of a test holds the word `canary`, so that it is found wherever it turns up; tokens, password hashes and URLs
with a password are known by their shape.
"""

import logging
import re

_SECRETS = re.compile(
    r"""(?xi)
      canary
    | eyJ[\w-]{8,}\.[\w-]{8,}\.            # a JSON web token
    | \$argon2id\$                         # a password hash
    | \b(?:basic|bearer)\s+[\w.~+/-]{16,}  # an Authorization header
    | \w://[^\s/:@]+:[^\s/@*]+@            # a URL with a password
    """
)
_AROUND = 60


def findings(text: str) -> list[str]:
    """What in `text` looks like a secret, with a few characters around it."""
    return [text[max(0, found.start() - _AROUND) : found.end() + _AROUND] for found in _SECRETS.finditer(text)]


class SearchedRecords(logging.Handler):
    """Searches every record of this process with all of its fields, whatever a formatter would leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name not in {"msg", "args", "exc_info"}}
        self.found += findings(f"{self.format(record)} {fields!r}")
