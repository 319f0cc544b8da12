"""Claims in Redis on what a process fetches: short and renewed while it lives, so a dead one keeps nobody waiting."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from service_kit.deadline import Deadline
from service_kit.redis_link import RedisLink

LIFE: Final = 1.5
"""Seconds for which a claim stands without being renewed. Who waits for a process that died has then more than half of
its time left (service_kit.time_budget.UPSTREAM_TOTAL), and fetches by itself."""
_RENEWED_EVERY: Final = 0.4
"""Seconds: three renewals may come late or be lost before a claim ends under a process that lives."""
_GRACE: Final = 1.0
"""Seconds after its deadline for which a fetch is still waited for; it should have ended by then."""

_RENEW: Final = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
)


class RenewedClaims:
    """The claims that this process holds; one thread renews them, and sleeps while there is none.

    :param key: the one in Redis of the claim on a symbol.
    """

    def __init__(self, link: RedisLink, key: Callable[[str], str]) -> None:
        self._link = link
        self._key = key
        self._held: dict[str, tuple[Sequence[str], float]] = {}
        """By token: the symbols, and the moment after which they are given up."""
        self._some = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, symbols: Sequence[str], token: str, deadline: Deadline) -> Iterator[None]:
        """Renew the claims of `token` on these symbols until the block ends, or a while after `deadline`."""
        self._held[token] = symbols, deadline.at + _GRACE
        self._start()
        self._some.set()
        try:
            yield
        finally:
            del self._held[token]

    def _start(self) -> None:
        """Here and not in a parent: a thread does not survive a fork."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._renew_for_ever, name="claims", daemon=True)
                    self._thread.start()

    def _renew_for_ever(self) -> None:
        while self._some.wait():
            time.sleep(_RENEWED_EVERY)
            self._some.clear()  # before the look: who comes after it sets it again
            now = time.monotonic()
            if held := {token: symbols for token, (symbols, end) in list(self._held.items()) if now < end}:
                self._some.set()
                self._link.run(partial(self._renew, held))

    def _renew(self, held: Mapping[str, Sequence[str]], pipe: Any) -> None:
        for token, symbols in held.items():
            for symbol in symbols:
                pipe.eval(_RENEW, 1, self._key(symbol), token, int(LIFE * 1000))
