"""Matrix row 51: the store of the rate limits, a real Redis, goes away. Each process counts for itself meanwhile.

No request fails, waits for it more than once, or slips through the limit of log-ins.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_service.rate_counters import MemoryCounters, SharedCounters
from api_service.rate_limits import RateLimits
from api_service.settings import load
from service_kit.problems import Problem
from service_kit.redis_link import _AWAY, _TIMEOUT, RedisLink
from tests.integration.api_process import ApiProcess
from tests.private_redis import PrivateRedis
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(60)

LIMIT = 5
EVENTS = {"lost": "ratelimit.fallback", "back": "ratelimit.shared_back"}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    redis = PrivateRedis(tmp_path).start()
    yield redis
    redis.kill()


class Clock:
    """Time that stands still, for the windows and for the pause of a Redis that is away."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def process(redis: PrivateRedis, clock: Clock) -> RateLimits:
    """The limits as one process of the API has them."""
    rates = load({"APP_ENV": "development", "RATE_LIMIT_LOGIN": f"{LIMIT}/hour"}).web.rates
    return RateLimits(rates, SharedCounters(RedisLink(redis.url, clock=clock, **EVENTS), MemoryCounters()), clock)


def attempts_let_through(limits: RateLimits, attempts: int = 20) -> int:
    through = 0
    for _ in range(attempts):
        try:
            limits.check_login("192.0.2.1")
        except Problem:
            continue
        through += 1
        limits.count_failed_login("192.0.2.1")
    return through


@pytest.fixture(autouse=True)
def _in_a_request() -> Iterator[None]:
    from flask import Flask

    with Flask(__name__).test_request_context():
        yield


def test_processes_count_together(redis: PrivateRedis, clock: Clock) -> None:
    one, other = process(redis, clock), process(redis, clock)
    assert attempts_let_through(one, LIMIT - 1) == LIMIT - 1
    assert attempts_let_through(other) == 1
    assert attempts_let_through(one) == 0


def test_what_is_counted_there_has_an_end(redis: PrivateRedis, clock: Clock) -> None:
    attempts_let_through(process(redis, clock), 1)
    link = RedisLink(redis.url)
    (keys,) = link.run(lambda pipe: pipe.keys("*")) or [[]]
    assert len(keys) == 1
    (seconds,) = link.run(lambda pipe: pipe.ttl(keys[0])) or [0]
    assert 0 < seconds <= 3600


def test_the_limit_holds_in_each_process_while_the_store_is_down(
    redis: PrivateRedis, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limits = process(redis, clock)
    assert attempts_let_through(limits, 2) == 2
    redis.kill()
    assert attempts_let_through(limits) == LIMIT
    clock.now += _AWAY
    assert attempts_let_through(limits) == 0
    redis.start()
    clock.now += _AWAY
    assert attempts_let_through(limits) == LIMIT  # an empty store; what the memory counted has served its time
    assert [record.message for record in caplog.records if record.message in EVENTS.values()] == list(EVENTS.values())


def test_a_store_that_hangs_is_waited_for_once(redis: PrivateRedis, clock: Clock) -> None:
    limits = process(redis, clock)
    limits.check_login("192.0.2.1")
    assert redis._process
    os.kill(redis._process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        limits.check_login("192.0.2.1")
        first = time.monotonic() - started
        started = time.monotonic()
        for _ in range(100):
            limits.count_user(7, asks_for_quotes=True)
        rest = time.monotonic() - started
    finally:
        os.kill(redis._process.pid, signal.SIGCONT)
    assert _TIMEOUT * 0.9 < first < _TIMEOUT * 3
    assert rest < _TIMEOUT / 2  # for all hundred


def test_every_request_is_answered_while_the_store_dies_hangs_and_returns(redis: PrivateRedis, tmp_path: Path) -> None:
    api = ApiProcess(tmp_path, CACHE_URL=redis.url, RATE_LIMIT_LOGIN="3/hour")
    log = tmp_path / "api.log"
    with log.open("wb") as file, api.running(file):
        token = api.log_in().json()["token"]
        answers: list[tuple[int, float]] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                started = time.monotonic()
                answers.append((api.get("/api/v1/users/history", token).status_code, time.monotonic() - started))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_for(answers, 20)
            redis.kill()
            wait_for(answers, 50)
            redis.start()
            assert redis._process
            os.kill(redis._process.pid, signal.SIGSTOP)
            wait_for(answers, 50)
            os.kill(redis._process.pid, signal.SIGKILL)
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < 2.0
    text = log.read_text(encoding="utf-8")
    assert text.count("ratelimit.fallback") == 1 + text.count("ratelimit.shared_back")


def wait_for(answers: list[tuple[int, float]], more: int) -> None:
    wanted = len(answers) + more
    eventually(lambda: len(answers) >= wanted, within=15.0)
