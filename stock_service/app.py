"""The HTTP door: an internal Flask application without authentication, for the API process only."""

import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from structlog.contextvars import bind_contextvars

from service_kit import http_traces, problems, response_headers
from service_kit.deadline import Deadline
from service_kit.problems import Problem
from service_kit.time_budget import RPC_DEADLINE
from service_kit.trace_context import request_id_in
from stock_contract import (
    MAX_SYMBOLS_PER_REQUEST,
    ErrorCode,
    Failure,
    ProviderStatusReply,
    QuoteReply,
    dump_failure,
    dump_quote,
    encode_provider_status_reply,
    encode_reply,
    is_valid_symbol,
)
from stock_service import metrics
from stock_service.lookup import Lookup, build_lookup
from stock_service.settings import Settings, load

ANSWERS: Final[Mapping[ErrorCode, tuple[HTTPStatus, str]]] = {
    ErrorCode.SYMBOL_NOT_FOUND: (HTTPStatus.NOT_FOUND, "No provider knows this symbol."),
    ErrorCode.UPSTREAM_TIMEOUT: (HTTPStatus.GATEWAY_TIMEOUT, "No provider answered in time."),
    ErrorCode.UPSTREAM_ERROR: (HTTPStatus.BAD_GATEWAY, "No provider could be asked."),
    ErrorCode.UPSTREAM_BAD_DATA: (HTTPStatus.BAD_GATEWAY, "A provider answered with something that is no quote."),
    ErrorCode.UPSTREAM_QUOTA: (HTTPStatus.SERVICE_UNAVAILABLE, "A provider's limit is used up."),
    ErrorCode.UPSTREAM_UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "Every provider is known to be out."),
    ErrorCode.BAD_REQUEST: (HTTPStatus.BAD_REQUEST, "The request is not valid."),
    ErrorCode.UNSUPPORTED_VERSION: (HTTPStatus.BAD_REQUEST, "This version of the contract is not spoken here."),
    ErrorCode.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong in the stock service."),
}

_MILLISECONDS: Final = re.compile(r"\d{1,6}", re.ASCII)
_LOOKUP: Final = "quote_lookup"

_quotes = Blueprint("quotes", __name__)


def create_app(settings: Settings | None = None, lookup: Lookup | None = None) -> Flask:
    """The application; without arguments it is set up from the environment.

    :raises SettingsError: a setting is wrong.
    """
    app = Flask(__name__, static_folder=None)
    settings = settings or load(os.environ)
    if settings.metrics_port:
        metrics.HTTP.init_app(app)
    app.extensions[_LOOKUP] = lookup or build_lookup(settings)
    problems.init_app(app)
    app.before_request(_take_callers_request_id)
    http_traces.init_app(app)
    response_headers.init_app(app)
    app.register_blueprint(_quotes)
    return app


@_quotes.get("/api/v1/stock")
def stock() -> Response:
    """The quote of `stock_code`, as the contract writes it."""
    deadline = Deadline.after(_budget())
    code = request.args.get("stock_code", "")
    if not is_valid_symbol(code):
        raise _problem(Failure(ErrorCode.BAD_REQUEST), "stock_code must be one symbol code.")
    lookup: Lookup = current_app.extensions[_LOOKUP]
    (result,) = lookup((code,), deadline)
    if isinstance(result, Failure):
        raise _problem(result)
    return jsonify(dump_quote(result))


@_quotes.get("/api/v1/quotes")
def quotes() -> Response:
    """One result for each of `symbols` (codes separated by commas), in order; the body is the contract's reply."""
    deadline = Deadline.after(_budget())
    symbols = request.args.get("symbols", "").split(",")
    if len(symbols) > MAX_SYMBOLS_PER_REQUEST or not all(map(is_valid_symbol, symbols)):
        detail = f"symbols must be 1 to {MAX_SYMBOLS_PER_REQUEST} symbol codes, separated by commas."
        raise _problem(Failure(ErrorCode.BAD_REQUEST), detail)
    lookup: Lookup = current_app.extensions[_LOOKUP]
    return _json(encode_reply(QuoteReply(lookup(symbols, deadline))))


@_quotes.get("/api/v1/providers")
def providers() -> Response:
    """How this process sees the providers; the body is the contract's reply."""
    lookup: Lookup = current_app.extensions[_LOOKUP]
    return _json(encode_provider_status_reply(ProviderStatusReply(lookup.status())))


@_quotes.get("/healthz")
def healthz() -> Response:
    """Tell that the process answers; it says nothing about the providers."""
    return jsonify(status="ok")


def _take_callers_request_id() -> None:
    """Go on with the caller's request id, so that one id is found in the logs of both services."""
    if request_id := request_id_in(request.headers.get("X-Request-ID")):
        g.request_id = request_id
        bind_contextvars(request_id=request_id)


def _budget() -> float:
    """Seconds that the caller still waits."""
    text = request.headers.get("X-Budget-Ms")
    if text is None:
        return RPC_DEADLINE
    if not _MILLISECONDS.fullmatch(text):
        raise _problem(Failure(ErrorCode.BAD_REQUEST), "X-Budget-Ms must be a whole number of milliseconds.")
    return int(text) / 1000


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


def _problem(failure: Failure, detail: str | None = None) -> Problem:
    status, usual_detail = ANSWERS[failure.code]
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    slug = failure.code.replace("_", "-")
    return Problem(status, slug, detail or usual_detail, headers=headers, extra=dump_failure(failure))
