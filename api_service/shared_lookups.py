"""Look-ups of the same thing that wait at the same time share one answer, looked up after all of them came.

Whoever comes while one is being looked up is not given that one, which may be older than their request: they share
the next. So nobody is told less than the truth at the time of asking.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from api_service.database import DatabaseUnavailableError

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class _Place:
    """A thread that waits: for an answer, or for its turn to look one up for all that wait with it."""

    def __init__(self) -> None:
        self.followers: list[_Place] | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self) -> None:
        self._wake.acquire()

    def wake(self) -> None:
        self._wake.release()


class SharedLookups(Generic[_Key, _Value]):
    """`look_up` a key, at most once at a time for each; shared by all threads.

    :param look_up: ends in time by itself.
    """

    def __init__(self, look_up: Callable[[_Key], _Value]) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._waiting: dict[_Key, list[_Place]] = {}
        """For each key that is being looked up, those who came meanwhile."""

    def __call__(self, key: _Key) -> _Value:
        """What is found, looked up after this call.

        :raises DatabaseUnavailableError: the database is away; it may have been found out just before this call.
        """
        place = _Place()
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                self._waiting[key] = []
                place.followers = []
            else:
                waiting.append(place)
        if place.followers is None:
            place.wait()
        if place.followers is not None:
            return self._lead(key, place.followers)
        if isinstance(place.error, DatabaseUnavailableError):
            raise DatabaseUnavailableError from place.error
        if place.error is not None:
            return self._look_up(key)  # a defect: each answers for its own
        value: _Value = place.value
        return value

    def _lead(self, key: _Key, followers: list[_Place]) -> _Value:
        value, error = None, None
        try:
            value = self._look_up(key)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._pass_on(key, error)
            for follower in followers:
                follower.value, follower.error = value, error
                follower.wake()
        return value

    def _pass_on(self, key: _Key, error: BaseException | None) -> None:
        """The first of those who came meanwhile looks up for them; after an error nobody does, it is theirs too."""
        with self._lock:
            waiting = self._waiting.pop(key)
            if waiting and error is None:
                self._waiting[key] = []
        if error is not None:
            for place in waiting:
                place.error = error
                place.wake()
        elif waiting:
            first, *rest = waiting
            first.followers = rest
            first.wake()
