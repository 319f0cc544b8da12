"""Serving quotes: ask for them, and answer only when what is answered is saved in the user's history."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify
from marshmallow import Schema

from api_service import history
from api_service.auth.helpers import current_user
from api_service.database import DatabaseUnavailableError
from api_service.resources.asking import ask
from api_service.resources.failures import entry_of_failure, problem_of_failure
from api_service.resources.quote_headers import quote_headers
from api_service.services import services
from service_kit.problems import Problem
from stock_contract import Failure, Quote

_log = logging.getLogger(__name__)


def serve_one(symbol: str, body: Schema) -> Response:
    """The quote of `symbol` as `body` writes it, with the headers that say how old it is.

    :raises Problem: there is no quote, or it could not be saved.
    """
    asked_at = datetime.now(UTC)
    (result,) = _find([symbol])
    if isinstance(result, Failure):
        raise problem_of_failure(result)
    answer = jsonify(body.dump(result))
    answer.headers.update(quote_headers(result, datetime.now(UTC)))
    _save([result], asked_at)  # last: nothing that can fail comes between the commit and the answer
    return answer


def serve_many(symbols: Sequence[str], body: Schema) -> Response:
    """A list with the quote of each symbol as `body` writes it, or why there is none.

    :raises Problem: there is no answer for any of them, or what was found could not be saved.
    """
    asked_at = datetime.now(UTC)
    results = _find(symbols)
    answer = jsonify([_entry(symbol, result, body) for symbol, result in zip(symbols, results, strict=True)])
    _save(results, asked_at)  # last, as above
    return answer


def _find(symbols: Sequence[str]) -> tuple[Quote | Failure, ...]:
    results = ask(partial(services().stock_client.quotes, symbols))
    codes = Counter(result.code.value for result in results if isinstance(result, Failure))
    if codes:
        _log.info("stock.no_quote", extra={"asked": len(symbols), "codes": dict(codes)})
    return results


def _entry(symbol: str, result: Quote | Failure, body: Schema) -> Any:
    return entry_of_failure(symbol, result) if isinstance(result, Failure) else body.dump(result)


def _save(results: Sequence[Quote | Failure], asked_at: datetime) -> None:
    try:
        history.save_quotes(current_user().id, g.request_id, asked_at, results)
    except DatabaseUnavailableError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "history-not-saved",
            "What was found could not be saved in your history. Try again in a moment.",
            headers={"Retry-After": "1"},
        ) from error
