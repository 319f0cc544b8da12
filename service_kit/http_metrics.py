"""Counts the requests of a Flask application and their seconds, by the call that they are for."""

import time
from typing import Final

from flask import Flask, Request, Response, request
from prometheus_client import Counter, Histogram

_BEGAN_AT: Final = "stock_quotes.began_at"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
"""Up to the time in which every caller has an answer (service_kit.time_budget.CLIENT_ANSWER)."""


class HttpMetrics:
    """:param prefix: of the names, the service's own."""

    def __init__(self, prefix: str) -> None:
        self._requests = Counter(
            f"{prefix}_http_requests",
            "Requests answered, by call, method and status; the route is empty where there is no such address.",
            ["method", "route", "status"],
        )
        self._seconds = Histogram(
            f"{prefix}_http_request_duration_seconds",
            "Seconds from the request's arrival in a thread to the beginning of its answer, by call and method.",
            ["method", "route"],
            buckets=_SECONDS,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def init_app(self, app: Flask) -> None:
        """Count the requests of `app`. Call it before all else that looks at requests, to be first and last."""
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        request.environ[_BEGAN_AT] = time.perf_counter()

    def _end(self, response: Response) -> Response:
        seen: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        # The template, never the path: a label has as many values as there are calls, whatever callers make up.
        route = seen.url_rule.rule if seen.url_rule is not None else ""
        method = seen.method if seen.method in _METHODS else "other"
        series = (method, route, response.status_code)
        requests, seconds = self._series.get(series) or self._add(series)
        requests.inc()
        seconds.observe(time.perf_counter() - seen.environ[_BEGAN_AT])
        return response

    def _add(self, series: tuple[str, str, int]) -> tuple[Counter, Histogram]:
        """The library finds a series by its labels in as much time as it then takes to count."""
        method, route, status = series
        found = self._requests.labels(method, route, status), self._seconds.labels(method, route)
        self._series[series] = found
        return found
