"""Single flight: of all threads that want a thing at the same time one fetches it, and all get what came of it."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from service_kit.deadline import Deadline

WORTH_ANOTHER: Final = 0.5
"""Seconds more than the leader had, with which it makes sense to try what ran out of time under the leader."""

Key = TypeVar("Key", bound=Hashable)
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class _Flight(Generic[Outcome]):
    deadline: Deadline
    landed: Future[Outcome] = field(default_factory=Future)


class SingleFlight(Generic[Key, Outcome]):
    """Who comes first leads, who comes later follows, each with its own deadline; a failure is shared too.

    :param timed_out: the outcome of a key that could not be fetched in time.
    """

    def __init__(self, timed_out: Outcome) -> None:
        self._timed_out = timed_out
        self._lock = threading.Lock()
        self._flights: dict[Key, _Flight[Outcome]] = {}

    def run(
        self,
        keys: Sequence[Key],
        deadline: Deadline,
        fetch: Callable[[Sequence[Key], Deadline], Mapping[Key, Outcome]],
    ) -> dict[Key, Outcome]:
        """One outcome for each key.

        First come the keys that this thread leads, all in one `fetch`; only then does it wait for others, so no two
        threads ever wait for each other.
        """
        outcomes: dict[Key, Outcome] = {}
        left = list(keys)
        while left:
            mine, others = self._board(left, deadline)
            if mine:
                outcomes.update(self._lead(mine, deadline, fetch))
            followed = {key: self._follow(flight, deadline) for key, flight in others.items()}
            left = [key for key, outcome in followed.items() if outcome is None]
            outcomes.update({key: outcome for key, outcome in followed.items() if outcome is not None})
        return outcomes

    def _board(
        self, keys: Sequence[Key], deadline: Deadline
    ) -> tuple[dict[Key, _Flight[Outcome]], dict[Key, _Flight[Outcome]]]:
        """The flights that this thread has to lead, and those that are in the air already."""
        with self._lock:
            others = {key: self._flights[key] for key in keys if key in self._flights}
            mine: dict[Key, _Flight[Outcome]] = {key: _Flight(deadline) for key in keys if key not in others}
            self._flights.update(mine)
        return mine, others

    def _lead(
        self,
        mine: dict[Key, _Flight[Outcome]],
        deadline: Deadline,
        fetch: Callable[[Sequence[Key], Deadline], Mapping[Key, Outcome]],
    ) -> dict[Key, Outcome]:
        try:
            fetched = dict(fetch(list(mine), deadline))
        except BaseException as error:
            self._land(mine)
            for flight in mine.values():
                flight.landed.set_exception(error)
            raise
        self._land(mine)
        for key, flight in mine.items():
            flight.landed.set_result(fetched[key])
        return fetched

    def _land(self, mine: dict[Key, _Flight[Outcome]]) -> None:
        with self._lock:
            for key in mine:
                del self._flights[key]

    def _follow(self, flight: _Flight[Outcome], deadline: Deadline) -> Outcome | None:
        """What came of another thread's flight; None when it ran out of time and this thread has clearly more."""
        if not wait([flight.landed], deadline.remaining()).done:
            return self._timed_out
        outcome = flight.landed.result()
        late = outcome == self._timed_out and deadline.at - flight.deadline.at > WORTH_ANOTHER
        return None if late else outcome
