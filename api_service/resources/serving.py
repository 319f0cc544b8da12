"""Serving quotes: ask for them, and answer only when what is answered is saved in the user's history."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from flask import Response, g, jsonify, request
from marshmallow import Schema

from api_service import history
from api_service.auth.tokens import current_user
from api_service.database import DatabaseUnavailableError
from api_service.documented import Answer, Body, Header
from api_service.idempotency import KeyReusedError, OneCall, Results, earlier_results
from api_service.problem_kinds import STOCK_SERVICE
from api_service.resources.asking import ask
from api_service.resources.failures import entry_of_failure, problem_of_failure
from api_service.resources.quote_headers import QUOTE_HEADERS, quote_headers
from api_service.resources.request_parts import idempotency_key
from api_service.services import services
from service_kit.problems import Problem
from stock_contract import Failure, Quote

MANY_PROBLEMS: Final = (*STOCK_SERVICE, "history-not-saved", "idempotency-key-reused")
ONE_PROBLEMS: Final = ("symbol-not-found", *MANY_PROBLEMS)
REPLAYED: Final = Header(
    "Idempotent-Replayed",
    "There when the Idempotency-Key was used before and this is the first answer again",
    {"const": "true"},
    always=False,
)
_log = logging.getLogger(__name__)


def one_quote(body: Body, example: Any) -> Answer:
    """What `serve_one` answers."""
    headers = (*QUOTE_HEADERS, REPLAYED)
    return Answer("The quote; it is saved in the user's history", body, headers=headers, example=example)


def serve_one(symbol: str, body: Schema) -> Response:
    """The quote of `symbol` as `body` writes it, with the headers that say how old it is.

    :raises Problem: there is no quote, or it could not be saved.
    """

    def answer(results: Results) -> Response:
        (result,) = results
        if isinstance(result, Failure):
            raise problem_of_failure(result)
        response = jsonify(body.dump(result))
        response.headers.update(quote_headers(result, datetime.now(UTC)))
        return response

    return _serve([symbol], answer)


def serve_many(symbols: Sequence[str], body: Schema) -> Response:
    """A list with the quote of each symbol as `body` writes it, or why there is none.

    :raises Problem: there is no answer for any of them, or what was found could not be saved.
    """

    def answer(results: Results) -> Response:
        return jsonify([_entry(symbol, result, body) for symbol, result in zip(symbols, results, strict=True)])

    return _serve(symbols, answer)


def _serve(symbols: Sequence[str], answer: Callable[[Results], Response]) -> Response:
    key = idempotency_key()
    call = OneCall.of(current_user().id, key, str(request.url_rule), symbols) if key else None
    with _key_used_once():
        asked_at = datetime.now(UTC)
        earlier = earlier_results(call, asked_at) if call else None
        if earlier is None:
            results = _find(symbols)
            response = answer(results)
            earlier = _save(results, asked_at, call)
            if earlier is None:  # nothing that can fail comes between the commit and the answer
                return response
    response = answer(earlier)
    response.headers["Idempotent-Replayed"] = "true"
    return response


@contextmanager
def _key_used_once() -> Iterator[None]:
    try:
        yield
    except KeyReusedError as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "idempotency-key-reused",
            "You have used this Idempotency-Key for another call. Send a new key with each new call.",
        ) from error


def _find(symbols: Sequence[str]) -> Results:
    results = ask(partial(services().stock_client.quotes, symbols))
    codes = Counter(result.code.value for result in results if isinstance(result, Failure))
    if codes:
        _log.info("stock.no_quote", extra={"asked": len(symbols), "codes": dict(codes)})
    return results


def _entry(symbol: str, result: Quote | Failure, body: Schema) -> Any:
    return entry_of_failure(symbol, result) if isinstance(result, Failure) else body.dump(result)


def _save(results: Results, asked_at: datetime, call: OneCall | None) -> Results | None:
    try:
        return history.save_quotes(current_user().id, g.request_id, asked_at, results, call)
    except DatabaseUnavailableError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "history-not-saved",
            "What was found could not be saved in your history. Try again in a moment.",
            headers={"Retry-After": "1"},
        ) from error
