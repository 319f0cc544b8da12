"""Asks for quotes at an even pace, whether or not the earlier calls have their answers, and keeps how each ended."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from scripts.quote_client import QuoteClient

_LONGEST_SECONDS = 8.0  # the API's own budget
_SYMBOLS = ("aapl.us", "acu.us", "brk-b.us", "coin.us", "gldm.us", "spy.us")  # the bundled recordings have them


@dataclass(frozen=True, slots=True)
class Call:
    """`asked` and `ended` are of the monotonic clock; status 0 stands for no answer at all."""

    asked: float
    ended: float
    status: int
    problem: str
    """The last part of the problem's type; of a call without an answer, what went wrong."""

    @property
    def failed(self) -> bool:
        return self.status != HTTPStatus.OK


class SteadyLoad:
    """Runs from its making until `finish`, `rate` calls a second."""

    def __init__(self, client: QuoteClient, rate: float) -> None:
        self._client = client
        self._pause = 1.0 / rate
        self._calls: list[Call] = []
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(int(rate * _LONGEST_SECONDS) + 32)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def since(self, moment: float) -> Sequence[Call]:
        """The calls that were asked at or after `moment` and have ended."""
        return [call for call in self._calls if call.asked >= moment]

    def finish(self) -> Sequence[Call]:
        """Stop asking, wait for the last answers, and return all calls."""
        self._over.set()
        self._thread.join()
        self._pool.shutdown()
        return self._calls

    def _run(self) -> None:
        following = time.monotonic()
        for symbol in itertools.cycle(_SYMBOLS):
            if self._over.wait(max(0.0, following - time.monotonic())):
                return
            self._pool.submit(self._ask, symbol)
            following += self._pause

    def _ask(self, symbol: str) -> None:
        asked = time.monotonic()
        answer = self._client.quote(symbol)
        named = isinstance(answer.body, dict) and "type" in answer.body
        problem = str(answer.body["type"] if named else "" if answer.status == HTTPStatus.OK else answer.body)
        self._calls.append(Call(asked, time.monotonic(), answer.status, problem.removeprefix("/problems/")))


def outcomes(calls: Sequence[Call]) -> str:
    """How the calls ended, each kind with its number."""
    counted = Counter(f"{call.status} {call.problem}".strip() for call in calls)
    return ", ".join(f"{number} x {outcome}" for outcome, number in counted.most_common())
