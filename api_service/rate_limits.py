"""Rate limits: one caller must not take everything. Fixed windows, counted by user, by address and by failed log-in.

Rates are in the notation of the library `limits`. Its Flask extension is not used: it takes 0.13 ms of each request
where this takes a tenth of that, leaves unknown addresses uncounted, and answers 500 when its store goes away between
a request and its answer.

A window starts at a whole multiple of its length, so every process names the same one; a caller may send twice the
limit around the moment where two windows meet.
"""

import logging
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

from flask import Flask, Response, current_app, request
from limits import RateLimitItem

from api_service import metrics
from api_service.client_address import client_network
from api_service.rate_counters import Counters, MemoryCounters, SharedCounters
from api_service.web_settings import Rate, Rates, WebSettings
from service_kit.problems import Problem

_EXTENSION: Final = "rate_limits"
_PREFIX: Final = "stock-quotes:v1:rate"
EXEMPT: Final = frozenset({"health.healthz", "health.readyz"})
"""Endpoints that are never limited."""

_LOGINS: Final = {"api.login.log_in", "api.browser_session.log_in"}
_QUOTES: Final = {"api.stock", "api.quotes"}
"""Blueprints whose calls ask the stock service for quotes."""

_TOO_MANY: Final = "Too many requests in a short time. Try again after the time in Retry-After."
_TOO_MANY_FAILURES: Final = "Too many failed log-ins from your address. Try again after the time in Retry-After."
_log = logging.getLogger(__name__)


class RateLimits:
    """Counts and refuses; shared by all threads. A `who` is a user id or the network of an address."""

    def __init__(self, rates: Rates, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._rates = rates
        self._counters = counters
        self._clock = clock

    def count_address(self, address: str) -> None:
        """:raises Problem: 429, too many requests come from there."""
        self._count("address", self._rates.address, address)

    def count_user(self, user_id: int, *, asks_for_quotes: bool) -> None:
        """:raises Problem: 429, the user sends too many requests of this kind."""
        name, rate = ("quotes", self._rates.quotes) if asks_for_quotes else ("reads", self._rates.reads)
        self._count(name, rate, str(user_id))

    def check_login(self, address: str) -> None:
        """:raises Problem: 429, too many log-ins from there failed; nothing is counted."""
        for limit in self._rates.login:
            key, left = self._window("login", limit, address)
            if self._counters.count(key) >= limit.amount:
                metrics.RATE_LIMITED.labels("login").inc()
                raise _too_many(left, _TOO_MANY_FAILURES)

    def count_failed_login(self, address: str) -> None:
        for limit in self._rates.login:
            key, _ = self._window("login", limit, address)
            if self._counters.add(key, limit.get_expiry()) == limit.amount:
                _note("login", limit)

    def _count(self, name: str, rate: Rate, who: str) -> None:
        for limit in rate:
            key, left = self._window(name, limit, who)
            count = self._counters.add(key, limit.get_expiry())
            if count == limit.amount + 1:
                _note(name, limit)
            if count > limit.amount:
                metrics.RATE_LIMITED.labels(name).inc()
                raise _too_many(left, _TOO_MANY)

    def _window(self, name: str, limit: RateLimitItem, who: str) -> tuple[str, float]:
        """The key of the window that is open now, and the seconds until it ends."""
        length = limit.get_expiry()
        number, passed = divmod(self._clock(), length)
        return f"{_PREFIX}:{name}:{length}:{int(number)}:{who}", length - passed


def init_app(app: Flask, settings: WebSettings) -> None:
    """Limit every request by its address, and log-ins by those that failed; the guards of the calls limit by user."""
    app.extensions[_EXTENSION] = RateLimits(settings.rates, _counters(settings.cache_url))
    app.before_request(_before)
    app.after_request(_after)


def count_user(user_id: int) -> None:
    """Count this request for its user.

    :raises Problem: 429, there are too many.
    """
    _limits().count_user(user_id, asks_for_quotes=request.blueprint in _QUOTES)


def _before() -> None:
    if request.endpoint in EXEMPT:
        return
    _limits().count_address(client_network())
    if request.endpoint in _LOGINS:
        _limits().check_login(client_network())


def _after(response: Response) -> Response:
    if request.endpoint in _LOGINS and response.status_code == HTTPStatus.UNAUTHORIZED:
        _limits().count_failed_login(client_network())
    return response


def _limits() -> RateLimits:
    return cast("RateLimits", current_app.extensions[_EXTENSION])


def _counters(cache_url: str) -> Counters:
    memory = MemoryCounters()
    if not cache_url:
        return memory
    from service_kit.redis_link import RedisLink  # most processes need no Redis client, and it is slow to import

    return SharedCounters(RedisLink(cache_url, lost="ratelimit.fallback", back="ratelimit.shared_back"), memory)


def _note(name: str, limit: RateLimitItem) -> None:
    """Once for each caller and window: a flood must not fill the log."""
    _log.warning("ratelimit.exceeded", extra={"limit": name, "rate": str(limit), "address": client_network()})


def _too_many(seconds_left: float, detail: str) -> Problem:
    headers = {"Retry-After": str(max(1, math.ceil(seconds_left)))}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "rate-limited", detail, title="Too many requests", headers=headers)
