"""No harm when Redis is away, hangs, or holds garbage."""

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.redis_link import RedisLink
from stock_contract import QuoteReply, encode_reply
from stock_service.cache import Lifetimes, MemoryCache
from stock_service.shared_cache import SharedCache
from tests.integration.shared_cache.asking import MISS, one
from tests.private_redis import PrivateRedis
from tests.stand_ins import StooqStandIn

pytestmark = pytest.mark.timeout(60)

OURS = ("stock_service", "service_kit")


def test_redis_away_from_the_start_costs_nobody_an_answer(
    stooq: StooqStandIn, lookup_at: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lookup = lookup_at("redis://:canary@127.0.0.1:1/0")

    assert {one(lookup).source for _ in range(5)} == {"stooq"}

    assert len(stooq.queries) == 1, "its own memory serves meanwhile"
    assert [r.getMessage() for r in caplog.records if r.name.startswith(OURS)] == ["cache.shared_lost"]
    assert "canary" not in str([record.__dict__ for record in caplog.records])


def test_redis_lost_and_found(redis: PrivateRedis, stooq: StooqStandIn, caplog: pytest.LogCaptureFixture) -> None:
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


def test_redis_that_hangs_is_not_waited_for(stooq: StooqStandIn, lookup_at: Any, silent_port: int) -> None:
    lookup = lookup_at(f"redis://127.0.0.1:{silent_port}/0")
    started = time.monotonic()

    assert one(lookup).source == "stooq"

    assert time.monotonic() - started < 2


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_garbage_in_redis_is_a_miss(redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any) -> None:
    link = RedisLink(redis.url)
    valid = encode_reply(QuoteReply((MISS,)))
    unreadable = (b"\xff", b"60000 {}", b'60000 {"version":1,"results":[]}')
    for garbage in (b"", valid, b"x " + valid, *unreadable):
        link.run(lambda pipe, garbage=garbage: pipe.set("stock-quotes:v1:quote:AAPL.US", garbage, px=60_000))
        assert SharedCache(link, MemoryCache(Lifetimes()), Lifetimes()).read(["AAPL.US"]) == {}

    assert one(lookup_at(redis.url)).source == "stooq"
    assert len(stooq.queries) == 1
