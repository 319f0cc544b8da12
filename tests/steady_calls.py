"""Calls at an even pace, whether or not the earlier ones have their answers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

from tests.e2e.conftest import ANSWER_SECONDS
from tests.invariants import PATIENCE, Recorder


class SteadyCalls:
    """Asks `calls_a_second` times a second until it is told to finish."""

    def __init__(self, recorder: Recorder, calls_a_second: float) -> None:
        self._recorder = recorder
        self._pause = 1.0 / calls_a_second
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(int(calls_a_second * ANSWER_SECONDS) + 8)
        self._calls = [self._pool.submit(recorder.ask)]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        following = time.monotonic()
        while not self._over.wait(max(0.0, following - time.monotonic())):
            self._calls.append(self._pool.submit(self._recorder.ask))
            following += self._pause

    def finish(self) -> None:
        """Stop asking and wait for the last answers."""
        self._over.set()
        self._thread.join()
        _, without_end = wait(self._calls, timeout=2 * PATIENCE)
        assert not without_end
        self._pool.shutdown()
