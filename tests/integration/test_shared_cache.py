"""Two stock services that share a Redis: one fetch between them, and no harm when Redis is away."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.redis_link import RedisLink
from stock_contract import ErrorCode, Failure, Quote, QuoteReply, encode_reply
from stock_service.cache import Lifetimes, MemoryCache
from stock_service.lookup import QuoteLookup, build_lookup
from stock_service.settings import load
from stock_service.shared_cache import SharedCache
from tests.private_redis import PrivateRedis

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parents[2]
OURS = ("stock_service", "service_kit")
ROW = "AAPL.US,2021-11-12,22:00:10,148.43,150.4,147.48,149.99,63804008,APPLE"
TABLE = f"Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\n{ROW}\r\n".encode()
MISS = Failure(ErrorCode.SYMBOL_NOT_FOUND)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    redis = PrivateRedis(tmp_path_factory.mktemp("redis")).start()
    yield redis
    redis.kill()


@pytest.fixture
def redis(server: PrivateRedis) -> PrivateRedis:
    link = RedisLink(server.url)
    assert link.run(lambda pipe: pipe.flushall()) == [True]
    link.close()
    return server


class Stooq:
    """Answers after a while, and counts the requests."""

    def __init__(self) -> None:
        outer = self
        self.requests = 0
        self.status = 200
        self.seconds = 0.2
        self.asked = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                outer.asked.set()
                time.sleep(outer.seconds)
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(TABLE)))
                self.end_headers()
                self.wfile.write(TABLE)

            def log_message(self, *_: object) -> None:
                """Not into the output of the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/q/l/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stooq() -> Iterator[Stooq]:
    stooq = Stooq()
    yield stooq
    stooq.close()


@pytest.fixture
def lookup_at(stooq: Stooq) -> Callable[[str], QuoteLookup]:
    settings = {"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": stooq.url}
    return lambda url: build_lookup(load(settings | {"CACHE_URL": url}))


def one(lookup: QuoteLookup, seconds: float = 6) -> Any:
    (result,) = lookup(["aapl.us"], Deadline.after(seconds))
    return result


WORKER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from service_kit.deadline import Deadline
from stock_service.lookup import build_lookup
from stock_service.settings import load

lookup = build_lookup(load(json.loads(sys.argv[1])))
print("ready", flush=True)
for line in sys.stdin:
    with ThreadPoolExecutor(100) as pool:
        tasks = [pool.submit(lookup, ["aapl.us"], Deadline.after(6)) for _ in range(100)]
        results = [task.result()[0] for task in tasks]
    print(json.dumps([getattr(result, "source", str(result)) for result in results]), flush=True)
"""


@pytest.fixture
def workers(redis: PrivateRedis, stooq: Stooq) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes, each with a lookup, that ask a hundred times for every line they get."""
    settings = json.dumps({"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": stooq.url, "CACHE_URL": redis.url})
    with ExitStack() as stack:
        command = [sys.executable, "-c", WORKER, settings]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        started = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(2)]
        stack.callback(lambda: [worker.kill() for worker in started])
        for worker in started:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        yield started


def ask_both(workers: list[subprocess.Popen[str]]) -> list[str]:
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [source for worker in workers if worker.stdout for source in json.loads(worker.stdout.readline())]


def test_two_processes_with_a_hundred_callers_each_cause_one_request(
    workers: list[subprocess.Popen[str]], stooq: Stooq
) -> None:
    assert ask_both(workers) == ["stooq"] * 200
    assert stooq.requests == 1

    assert ask_both(workers) == ["stooq"] * 200
    assert stooq.requests == 1


def test_a_failure_is_shared_between_processes_too(workers: list[subprocess.Popen[str]], stooq: Stooq) -> None:
    stooq.status = 404

    assert all("upstream_error" in told for told in ask_both(workers))
    assert stooq.requests == 1


def test_what_one_fetched_the_other_has(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    first, second = lookup_at(redis.url), lookup_at(redis.url)

    quote = one(first)

    assert isinstance(quote, Quote)
    assert one(second) == quote
    assert stooq.requests == 1


def test_redis_away_from_the_start_costs_nobody_an_answer(
    stooq: Stooq, lookup_at: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lookup = lookup_at("redis://:canary@127.0.0.1:1/0")

    assert {one(lookup).source for _ in range(5)} == {"stooq"}

    assert stooq.requests == 1, "its own memory serves meanwhile"
    assert [r.getMessage() for r in caplog.records if r.name.startswith(OURS)] == ["cache.shared_lost"]
    assert "canary" not in str([record.__dict__ for record in caplog.records])


def test_redis_lost_and_found(redis: PrivateRedis, stooq: Stooq, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    lifetimes = Lifetimes()
    cache = SharedCache(RedisLink(redis.url, clock=lambda: now[0]), MemoryCache(lifetimes), lifetimes)
    missing = {"A": MISS}
    asked: list[int] = []

    def fetch(_symbols: object, _deadline: Deadline) -> dict[str, Any]:
        asked.append(1)
        return missing

    assert cache.load(["A"], Deadline.after(4), fetch) == missing
    redis.kill()
    assert cache.load(["A"], Deadline.after(4), fetch) == missing
    assert cache.read(["A"])["A"].result == MISS
    now[0] = 6.0
    assert cache.read(["A"])["A"].result == MISS, "still away"
    redis.start()
    assert cache.read(["A"])["A"].result == MISS, "it is left alone for a while"
    now[0] = 12.0
    assert cache.read(["A"]) == {}, "the new Redis is empty"
    assert cache.load(["A"], Deadline.after(4), fetch) == missing

    assert len(asked) == 2
    assert [record.getMessage() for record in caplog.records] == ["cache.shared_lost", "cache.shared_back"]


def test_redis_that_hangs_is_not_waited_for(stooq: Stooq, lookup_at: Any, silent_port: int) -> None:
    lookup = lookup_at(f"redis://127.0.0.1:{silent_port}/0")
    started = time.monotonic()

    assert one(lookup).source == "stooq"

    assert time.monotonic() - started < 2


@pytest.fixture
def silent_port() -> Iterator[int]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_garbage_in_redis_is_a_miss(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    link = RedisLink(redis.url)
    valid = encode_reply(QuoteReply((MISS,)))
    unreadable = (b"\xff", b"60000 {}", b'60000 {"version":1,"results":[]}')
    for garbage in (b"", valid, b"x " + valid, *unreadable):
        link.run(lambda pipe, garbage=garbage: pipe.set("stock-quotes:v1:quote:AAPL.US", garbage, px=60_000))
        assert SharedCache(link, MemoryCache(Lifetimes()), Lifetimes()).read(["AAPL.US"]) == {}

    assert one(lookup_at(redis.url)).source == "stooq"
    assert stooq.requests == 1


def test_the_claim_of_a_process_that_died_is_taken_over(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    RedisLink(redis.url).run(lambda pipe: pipe.set("stock-quotes:v1:claim:AAPL.US", "dead", px=300))

    assert one(lookup_at(redis.url)).source == "stooq"
    assert stooq.requests == 1


def test_who_waits_for_another_process_has_its_own_deadline(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    RedisLink(redis.url).run(lambda pipe: pipe.set("stock-quotes:v1:claim:AAPL.US", "slow", px=60_000))
    started = time.monotonic()

    assert one(lookup_at(redis.url), seconds=0.3) == Failure(ErrorCode.UPSTREAM_TIMEOUT)

    assert time.monotonic() - started < 1
    assert stooq.requests == 0


def test_a_defect_gives_the_claim_back(redis: PrivateRedis) -> None:
    cache = SharedCache(RedisLink(redis.url), MemoryCache(Lifetimes()), Lifetimes())

    def broken(_symbols: object, _deadline: Deadline) -> dict[str, Any]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        cache.load(["A"], Deadline.after(4), broken)
    started = time.monotonic()
    assert cache.load(["A"], Deadline.after(4), lambda *_: {"A": MISS}) == {"A": MISS}
    assert time.monotonic() - started < 1


def test_ages_are_those_of_redis(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    quote = one(lookup_at(redis.url))
    link = RedisLink(redis.url)
    lifetimes = Lifetimes(fresh=60, stale=3600)
    cache = SharedCache(link, MemoryCache(lifetimes), lifetimes)
    assert cache.read(["AAPL.US"])["AAPL.US"].fresh

    link.run(lambda pipe: pipe.pexpire("stock-quotes:v1:quote:AAPL.US", 3_540_000))

    entry = cache.read(["AAPL.US"])["AAPL.US"]
    assert (entry.result, entry.fresh) == (quote, False)


def test_the_last_quote_is_served_stale_from_redis_too(redis: PrivateRedis, stooq: Stooq, lookup_at: Any) -> None:
    fresh = one(lookup_at(redis.url))
    RedisLink(redis.url).run(lambda pipe: pipe.pexpire("stock-quotes:v1:quote:AAPL.US", 3_540_000))
    stooq.status = 503

    assert one(lookup_at(redis.url)) == replace(fresh, stale=True, fresh_until=None)
