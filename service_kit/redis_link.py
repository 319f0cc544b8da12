"""The connection to Redis: short time-outs, and after a failure it is left alone for a while."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_log = logging.getLogger(__name__)

_TIMEOUT: Final = 0.3
"""Seconds, for connecting and for each answer: what is slower than that helps nobody."""
_AWAY: Final = 5.0
"""Seconds after a failure until it is tried again."""
_RETRIES: Final = 1
"""One, because a kept connection may have been closed by the other side."""


class RedisLink:
    """Runs commands in one round trip; shared by all threads."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        lost: str = "cache.shared_lost",
        back: str = "cache.shared_back",
    ) -> None:
        """Connect on first use; `lost` and `back` name the log lines of an outage, one each."""
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            # Not after a time-out: who did not answer in time is not asked a second time.
            retry=Retry(NoBackoff(), _RETRIES, supported_errors=(redis.ConnectionError,)),
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._away_until: float | None = None
        self._lost_event = lost
        self._back_event = back

    def run(self, commands: Callable[[Any], None], *, even_if_away: bool = False) -> list[Any] | None:
        """The answers to what `commands` puts into a pipeline; None when Redis is away. It never raises for that.

        :param even_if_away: try, though a moment ago it did not answer: something of ours must not stay there.
        """
        if not even_if_away and self._is_left_alone():
            return None
        pipe = self._client.pipeline(transaction=False)
        try:
            commands(pipe)
            answers: list[Any] = pipe.execute()
        except redis.RedisError as error:
            self._lost(error)
            return None
        self._reached()
        return answers

    def close(self) -> None:
        self._client.close()

    def _is_left_alone(self) -> bool:
        with self._lock:
            if self._away_until is None:
                return False
            if self._clock() < self._away_until:
                return True
            self._away_until = self._clock() + _AWAY  # this caller tries; the others go on without
            return False

    def _lost(self, error: redis.RedisError) -> None:
        with self._lock:
            was_there = self._away_until is None
            self._away_until = self._clock() + _AWAY
        if was_there:  # only the name: the text may hold the address, and the address a password
            _log.warning(self._lost_event, extra={"reason": type(error).__name__})

    def _reached(self) -> None:
        with self._lock:
            was_away, self._away_until = self._away_until is not None, None
        if was_away:
            _log.info(self._back_event)
