"""The API is killed at random moments under load, and what callers were told stays true."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import requests

from scripts.child_processes import Child
from tests.e2e.conftest import ANSWER_SECONDS, System
from tests.fault_proxy import FaultProxy
from tests.link_faults import Direction
from tests.outages import children_of
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)

CALLERS = 6


@pytest.fixture
def system(tmp_path: Path, stooq: StooqStandIn) -> Iterator[System]:
    """Over HTTP, with the stock service running; each test starts the API."""
    system = System("http", tmp_path, stooq.url, None)
    system.prepare()
    system.start_stock()
    yield system
    system.stop_stock()


@pytest.fixture
def seed() -> int:
    """Printed with a failure; put it here to see the same moments again."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    return seed


@dataclass
class Call:
    """One call that its caller wants answered, and every answer that came."""

    key: str | None
    lost: int = 0
    """How often the connection ended before an answer."""
    request_ids: list[str] = field(default_factory=list)
    """Of the 200s."""
    replayed: bool = False


class Callers:
    """A few callers that ask all the time; who loses an answer asks again, those with a key under the same one."""

    def __init__(self, system: System) -> None:
        self._url = system.url("/api/v1/stock")
        self._headers = {"Authorization": f"Bearer {system.token('johndoe')}"}
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(CALLERS)
        self.calls: list[Call] = []
        self.other: Counter[str] = Counter()
        self._runs = [self._pool.submit(self._run, number) for number in range(CALLERS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking, once every call has had its answer: the API must run by now."""
        self._stop.set()
        self._pool.shutdown()
        for run in self._runs:
            run.result()

    def answered(self) -> int:
        return sum(bool(call.request_ids) for call in self.calls)

    def _run(self, number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            call = Call(f"key-{number}-{turn}" if number % 2 else None)
            self.calls.append(call)
            self._ask_until_answered(call)

    def _ask_until_answered(self, call: Call) -> None:
        headers = self._headers | ({"Idempotency-Key": call.key} if call.key else {})
        end = time.monotonic() + 2 * ANSWER_SECONDS
        while not call.request_ids and time.monotonic() < end:
            try:
                answer = requests.get(self._url, params={"q": "aapl.us"}, headers=headers, timeout=ANSWER_SECONDS)
            except requests.RequestException:  # the API was killed, or is not there yet
                call.lost += 1
                time.sleep(0.02)
                continue
            if answer.status_code == 200 and answer.json()["symbol"] == "AAPL.US":
                call.request_ids.append(answer.headers["X-Request-ID"])
                call.replayed = "Idempotent-Replayed" in answer.headers
            else:
                self.other[f"{answer.status_code} {answer.text}"] += 1


def test_a_killed_worker_of_gunicorn_loses_and_doubles_nothing(system: System, seed: int) -> None:
    api = system.start_api()

    def kill_the_worker(moments: random.Random) -> None:
        (worker,) = eventually_one_worker(api)
        time.sleep(moments.uniform(0.0, 0.25))
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)

    try:
        check_under_load(system, seed, kill_the_worker, times=12)
    finally:
        system.stop_api(api)
    assert "Traceback" not in api.log.read_text()


def test_an_api_that_is_killed_as_a_whole_loses_and_doubles_nothing(system: System, seed: int) -> None:
    running = [system.start_api()]

    def kill_and_start_again(moments: random.Random) -> None:
        time.sleep(moments.uniform(0.0, 0.25))
        running[-1].kill()
        running.append(system.start_api())

    try:
        check_under_load(system, seed, kill_and_start_again, times=6)
    finally:
        system.stop_api(running[-1])


def test_a_lost_answer_is_asked_for_again_under_its_key_without_a_second_row(system: System) -> None:
    api = system.start_api()
    proxy = FaultProxy(system.port)
    headers = {"Authorization": f"Bearer {system.token('johndoe')}", "Idempotency-Key": "k1"}
    url = f"http://127.0.0.1:{proxy.port}/api/v1/stock?q=aapl.us"
    try:
        with proxy.truncate(20, Direction.DOWN), pytest.raises(requests.ConnectionError):
            requests.get(url, headers=headers, timeout=ANSWER_SECONDS)
        answer = requests.get(url, headers=headers, timeout=ANSWER_SECONDS)
        history = system.get("/api/v1/users/history")
    finally:
        proxy.close()
        system.stop_api(api)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (200, "true")
    assert len(history.json()) == 1


def check_under_load(system: System, seed: int, kill: Callable[[random.Random], None], times: int) -> None:
    moments = random.Random(seed)  # noqa: S311  it chooses moments, not secrets
    with Callers(system) as callers:
        for _ in range(times):
            before = callers.answered()
            kill(moments)
            eventually(lambda before=before: callers.answered() > before, within=10.0)  # it serves again
    calls = callers.calls
    assert sum(call.lost for call in calls) > 0
    assert callers.other == {}
    check_history(system.directory / "api.sqlite3", calls)


def check_history(database: Path, calls: list[Call]) -> None:
    """Every 200 has its row, once; a row without a 200 is of a call whose answer was lost after the commit."""
    with closing(sqlite3.connect(database)) as connection:
        rows = Counter(row[0] for row in connection.execute("SELECT request_id FROM history"))
        (counted,) = connection.execute("SELECT sum(times) FROM stock_request_counts").fetchone()
        answers = dict(connection.execute("SELECT key, request_id FROM idempotent_answers"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert all(len(call.request_ids) == 1 for call in calls)
    assert set(rows.values()) == {1}
    assert counted == len(rows)
    answered_anew = {call.request_ids[0] for call in calls if not call.replayed}
    assert answered_anew <= rows.keys()
    named = [call for call in calls if call.key]
    assert answers.keys() == {call.key for call in named}
    of_named = set(answers.values())
    assert len(of_named) == len(named)  # one row for each key, however often it was sent
    assert of_named <= rows.keys()
    assert {call.request_ids[0] for call in named if not call.replayed} <= of_named
    of_unnamed = rows.keys() - of_named
    unnamed = [call for call in calls if not call.key]
    assert 0 <= len(of_unnamed) - len(unnamed) <= sum(call.lost for call in unnamed)


def eventually_one_worker(api: Child) -> list[int]:
    """The one child of gunicorn's master, which starts a new one when it is killed."""
    eventually(lambda: len(children_of(api)) == 1, within=10.0)
    return children_of(api)
