"""Redis, a provider that takes a while, and a lookup like that of a stock service."""

from collections.abc import Callable, Iterator

import pytest

from service_kit.redis_link import RedisLink
from stock_service.lookup import QuoteLookup, build_lookup
from stock_service.settings import load
from tests.private_redis import PrivateRedis
from tests.stand_ins import StooqStandIn


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """Who kills it starts it again: the next test finds it running."""
    redis = PrivateRedis(tmp_path_factory.mktemp("redis")).start()
    yield redis
    redis.kill()


@pytest.fixture
def redis(redis_server: PrivateRedis) -> PrivateRedis:
    link = RedisLink(redis_server.url)
    assert link.run(lambda pipe: pipe.flushall()) == [True]
    link.close()
    return redis_server


@pytest.fixture
def stooq() -> Iterator[StooqStandIn]:
    """Takes long enough that callers meet."""
    stooq = StooqStandIn()
    stooq.delay = 0.2
    yield stooq
    stooq.close()


@pytest.fixture
def lookup_at(stooq: StooqStandIn) -> Callable[[str], QuoteLookup]:
    settings = {"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": stooq.url}
    return lambda url: build_lookup(load(settings | {"CACHE_URL": url}))
