"""GET /api/v1/stock?q=aapl.us: one quote. It is answered only when it is saved in the user's history."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, g, jsonify

from api_service import history
from api_service.auth.helpers import current_user, login_required
from api_service.database import DatabaseUnavailableError
from api_service.resources.failures import problem_of_error, problem_of_failure
from api_service.resources.request_parts import symbol_of_query
from api_service.resources.schemas import QuoteBody
from api_service.services import services
from api_service.stock_clients import StockServiceError
from service_kit import time_budget
from service_kit.deadline import Deadline
from service_kit.problems import Problem
from stock_contract import Failure, Quote

blueprint = Blueprint("stock", __name__)
_QUOTE: Final = QuoteBody()
_log = logging.getLogger(__name__)


@blueprint.get("/stock")
@login_required
def stock() -> Response:
    asked_at = datetime.now(UTC)
    quote = _ask(symbol_of_query("q"))
    answer = jsonify(_QUOTE.dump(quote))
    answer.headers["Quote-Source"] = quote.source
    answer.headers["Quote-As-Of"] = quote.as_of.isoformat().replace("+00:00", "Z")
    _save(quote, asked_at)  # last: nothing that can fail comes between the commit and the answer
    return answer


def _ask(symbol: str) -> Quote:
    deadline = Deadline.after(time_budget.RPC_DEADLINE)
    try:
        (result,) = services().stock_client.quotes([symbol], request_id=g.request_id, deadline=deadline)
    except StockServiceError as error:
        problem = problem_of_error(error)
        _log.warning("stock.no_answer", extra={"problem": problem.slug, "reason": str(error)})
        raise problem from error
    if isinstance(result, Failure):
        _log.info("stock.no_quote", extra={"code": result.code.value})
        raise problem_of_failure(result)
    return result


def _save(quote: Quote, asked_at: datetime) -> None:
    try:
        history.save_quotes(current_user().id, g.request_id, asked_at, [quote])
    except DatabaseUnavailableError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "history-not-saved",
            "The quote was found but could not be saved in your history. Try again in a moment.",
            headers={"Retry-After": "1"},
        ) from error
