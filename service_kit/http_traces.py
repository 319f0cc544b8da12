"""The trace of an HTTP request: taken over from its caller, and a span of ours in it while spans are collected."""

from contextlib import ExitStack
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, g, request

from service_kit import tracing
from service_kit.trace_context import TRACEPARENT, traceparent_in
from service_kit.traces import bind_traceparent
from service_kit.tracing import SpanKind

_PROBES: Final = {"/healthz", "/readyz"}
"""They come every few seconds, and are no calls."""


def init_app(app: Flask) -> None:
    """Call it after `problems.init_app`, which names the request, and before all else that looks at requests."""
    app.before_request(_begin)
    app.after_request(_note_answer)
    app.teardown_request(_end)


def _begin() -> None:
    traceparent = traceparent_in(request.headers.get(TRACEPARENT))
    traced = tracing.is_on() and request.path not in _PROBES
    if not (traceparent or traced):
        return
    g.trace = ExitStack()
    g.trace.enter_context(bind_traceparent(traceparent))
    if traced:
        # The template, never the path, which may hold anything.
        route = request.url_rule.rule if request.url_rule else ""
        attributes: dict[str, tracing.Attribute] = {"http.request.method": request.method, "http.route": route}
        name = f"{request.method} {route}".rstrip()
        g.span = g.trace.enter_context(tracing.span(name, SpanKind.SERVER, attributes))


def _note_answer(response: Response) -> Response:
    if "span" in g:
        g.span.set_attribute("http.response.status_code", response.status_code)
        g.span.set_attribute("request_id", g.request_id)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            g.span.set_attribute("error.type", str(response.status_code))
    return response


def _end(_: BaseException | None) -> None:
    if "trace" in g:
        g.pop("trace").close()
