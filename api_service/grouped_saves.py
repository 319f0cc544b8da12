"""Saves that wait at the same time go together: one transaction, one commit to the disk, for all of them.

Nobody waits for company. Who finds nobody saving begins at once; who comes meanwhile waits, and the first of those
then saves what all of them have. So under load a commit is shared, and a lone request is as quick as ever.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Generic, TypeVar

from api_service import metrics
from api_service.database import DatabaseUnavailableError
from service_kit import time_budget
from service_kit.deadline import Deadline

_Item = TypeVar("_Item")
_MOST: Final = 64
"""Items in one transaction; more than wait in a process that is not overloaded."""

_log = logging.getLogger(__name__)


class _State(Enum):
    WAITING = "waiting"
    TAKEN = "taken"  # its group is being saved
    LEADS = "leads"  # it is its turn to save what waits
    SAVED = "saved"
    FAILED = "failed"
    ALONE = "alone"  # something in its group was refused; nobody else's fault may be its own


class _Place(Generic[_Item]):
    """One item, and the thread that waits for it."""

    def __init__(self, item: _Item, deadline: Deadline) -> None:
        self.item = item
        self.deadline = deadline
        self.state = _State.WAITING
        self.error: DatabaseUnavailableError | None = None
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self, seconds: float = -1) -> bool:
        return self._wake.acquire(timeout=seconds)

    def become(self, state: _State, error: DatabaseUnavailableError | None = None) -> None:
        self.state, self.error = state, error
        self._wake.release()


class GroupedSaves(Generic[_Item]):
    """`save` all items given, in one transaction, by a deadline; shared by all threads.

    :param save: raises `DatabaseUnavailableError`; it must leave the same behind when an item is saved twice.
    :param at_once: how many transactions go on at the same time.
    """

    def __init__(self, save: Callable[[Sequence[_Item], Deadline], None], at_once: int) -> None:
        self._save = save
        self._free = at_once
        self._lock = threading.Lock()
        self._queue: deque[_Place[_Item]] = deque()

    def __call__(self, item: _Item, deadline: Deadline) -> None:
        """Save `item`, with others or alone; when this returns it is committed.

        :raises DatabaseUnavailableError: it was not saved.
        """
        place = _Place(item, deadline)
        if not self._begins(place):
            self._wait(place)
        if place.state is _State.LEADS:
            self._lead(place)
        if place.state is _State.FAILED:
            assert place.error
            raise DatabaseUnavailableError(passing=place.error.passing) from place.error
        if place.state is _State.ALONE:
            self._save([item], deadline)

    def _begins(self, place: _Place[_Item]) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                place.state = _State.LEADS
            else:
                self._queue.append(place)
        return place.state is _State.LEADS

    def _wait(self, place: _Place[_Item]) -> None:
        if place.wait(place.deadline.within(time_budget.DATABASE_LOCK).remaining()):
            return
        with self._lock:
            if place.state is _State.WAITING:
                self._queue.remove(place)
                _log.error("db.write_queue_timeout")
                metrics.DATABASE_TROUBLES.labels("write_queue_timeout").inc()
                raise DatabaseUnavailableError
        place.wait()  # its group is at work, and ends by a deadline of its own

    def _lead(self, leader: _Place[_Item]) -> None:
        """Save what `leader` and those behind it have; then the next one leads."""
        with self._lock:
            group = [self._queue.popleft() for _ in range(min(_MOST - 1, len(self._queue)))]
            for place in group:
                place.state = _State.TAKEN
        state, error = _State.ALONE, None
        try:
            # Of those who wait the leader has waited longest: it ends first.
            self._save([leader.item, *(place.item for place in group)], leader.deadline)
            state = _State.SAVED
        except DatabaseUnavailableError as unavailable:
            if not group or not unavailable.refused:
                state, error = _State.FAILED, unavailable
        except Exception:
            if not group:
                raise
        finally:
            self._pass_on()
            for place in group:
                place.become(state, error)
        leader.state, leader.error = state, error

    def _pass_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().become(_State.LEADS)
            else:
                self._free += 1
