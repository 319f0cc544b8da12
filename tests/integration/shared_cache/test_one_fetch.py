"""What one stock service fetched or claimed, for another one."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from service_kit.deadline import Deadline
from service_kit.redis_link import RedisLink
from stock_contract import ErrorCode, Failure, Quote
from stock_service import claims
from stock_service.cache import Lifetimes, MemoryCache
from stock_service.shared_cache import SharedCache
from tests.callers import callers
from tests.integration.shared_cache.asking import MISS, one
from tests.private_redis import PrivateRedis
from tests.stand_ins import StooqStandIn, row
from tests.waiting import SOON

pytestmark = pytest.mark.timeout(60)


def test_what_one_fetched_the_other_has(redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any) -> None:
    first, second = lookup_at(redis.url), lookup_at(redis.url)

    quote = one(first)

    assert isinstance(quote, Quote)
    assert one(second) == quote
    assert len(stooq.queries) == 1


def test_the_claim_of_a_process_that_died_is_taken_over(
    redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any
) -> None:
    RedisLink(redis.url).run(lambda pipe: pipe.set("stock-quotes:v1:claim:AAPL.US", "dead", px=300))

    assert one(lookup_at(redis.url)).source == "stooq"
    assert len(stooq.queries) == 1


def test_who_waits_for_another_process_has_its_own_deadline(
    redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any
) -> None:
    RedisLink(redis.url).run(lambda pipe: pipe.set("stock-quotes:v1:claim:AAPL.US", "slow", px=60_000))
    started = time.monotonic()

    assert one(lookup_at(redis.url), seconds=0.3) == Failure(ErrorCode.UPSTREAM_TIMEOUT)

    assert time.monotonic() - started < 1
    assert not stooq.queries


def test_a_claim_is_renewed_for_as_long_as_its_fetch_takes(redis: PrivateRedis) -> None:
    first, second = (SharedCache(RedisLink(redis.url), MemoryCache(Lifetimes()), Lifetimes()) for _ in range(2))
    fetching, fetched = threading.Event(), threading.Event()

    def fetch(*_: object) -> dict[str, Any]:
        fetching.set()
        fetched.wait(SOON)
        return {"A": MISS}

    def unwanted(*_: object) -> dict[str, Any]:
        raise AssertionError

    with callers(2) as pool:
        leading = pool.submit(first.load, ["A"], Deadline.after(SOON), fetch)
        assert fetching.wait(SOON)
        waiting = pool.submit(second.load, ["A"], Deadline.after(SOON), unwanted)
        with pytest.raises(TimeoutError):
            waiting.result(2 * claims.LIFE)
        fetched.set()
        assert leading.result(SOON) == waiting.result(SOON) == {"A": MISS}


def test_a_claim_is_not_renewed_long_after_its_deadline(redis: PrivateRedis) -> None:
    first, second = (SharedCache(RedisLink(redis.url), MemoryCache(Lifetimes()), Lifetimes()) for _ in range(2))
    fetching, given_up = threading.Event(), threading.Event()

    def hangs(*_: object) -> dict[str, Any]:
        fetching.set()
        given_up.wait(SOON)
        return {"A": MISS}

    with callers(1) as pool:
        hanging = pool.submit(first.load, ["A"], Deadline.after(0.1), hangs)
        assert fetching.wait(SOON)
        assert second.load(["A"], Deadline.after(SOON), lambda *_: {"A": MISS}) == {"A": MISS}
        given_up.set()
        hanging.result(SOON)


def test_a_defect_gives_the_claim_back(redis: PrivateRedis) -> None:
    cache = SharedCache(RedisLink(redis.url), MemoryCache(Lifetimes()), Lifetimes())

    def broken(_symbols: object, _deadline: Deadline) -> dict[str, Any]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        cache.load(["A"], Deadline.after(4), broken)
    started = time.monotonic()
    assert cache.load(["A"], Deadline.after(4), lambda *_: {"A": MISS}) == {"A": MISS}
    assert time.monotonic() - started < 1


def test_ages_are_those_of_redis(redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any) -> None:
    quote = one(lookup_at(redis.url))
    link = RedisLink(redis.url)
    lifetimes = Lifetimes(fresh=60, stale=3600)
    cache = SharedCache(link, MemoryCache(lifetimes), lifetimes)
    assert cache.read(["AAPL.US"])["AAPL.US"].fresh

    link.run(lambda pipe: pipe.pexpire("stock-quotes:v1:quote:AAPL.US", 3_540_000))

    entry = cache.read(["AAPL.US"])["AAPL.US"]
    assert (entry.result, entry.fresh) == (quote, False)


def test_the_last_quote_is_served_stale_from_redis_too(
    redis: PrivateRedis, stooq: StooqStandIn, lookup_at: Any
) -> None:
    fresh = one(lookup_at(redis.url))
    RedisLink(redis.url).run(lambda pipe: pipe.pexpire("stock-quotes:v1:quote:AAPL.US", 3_540_000))
    stooq.answer_for_all = (503, row("aapl.us")[1])

    assert one(lookup_at(redis.url)) == replace(fresh, stale=True, fresh_until=None)
