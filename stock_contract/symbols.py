"""Which symbol codes the two services accept: checked by the API at the door and by the worker again."""

import re
from typing import Final

MAX_SYMBOL_LENGTH: Final = 20
MAX_SYMBOLS_PER_REQUEST: Final = 50
"""Stooq drops rows without a word above about a hundred codes a request; half of that is safe."""

_SYMBOL: Final = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^_=-]*", re.ASCII)


def is_valid_symbol(text: str) -> bool:
    """Tell whether `text` can be a symbol code: 1 to 20 of `A-Z a-z 0-9 . ^ _ = -`, not starting with `. _ = -`."""
    return len(text) <= MAX_SYMBOL_LENGTH and _SYMBOL.fullmatch(text) is not None
