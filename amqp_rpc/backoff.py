"""How long to wait before the next attempt to connect."""

import random
from typing import Final

_FIRST: Final = 0.2
_CAP: Final = 5.0
_FLOOR: Final = 0.05


class Backoff:
    """Exponential backoff with full jitter: 0.05 s up to 0.2, 0.4, ... 5 s, for ever.

    The cap keeps recovery within 10 s of the broker's return; the jitter keeps many processes from knocking at once
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    """

    def __init__(self) -> None:
        self._ceiling = _FIRST

    def next_delay(self) -> float:
        """Seconds to wait now; the next wait may be twice as long."""
        ceiling, self._ceiling = self._ceiling, min(self._ceiling * 2, _CAP)
        return random.uniform(_FLOOR, ceiling)  # noqa: S311  jitter, not a secret

    def reset(self) -> None:
        """The connection came up: begin anew."""
        self._ceiling = _FIRST
