"""Asking the stock service on behalf of a request: its id, its deadline, and a problem when there is no answer."""

import logging
from typing import Protocol, TypeVar

from flask import g

from api_service.resources.failures import problem_of_error
from api_service.stock_clients import StockServiceError
from service_kit import time_budget
from service_kit.deadline import Deadline

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)
_log = logging.getLogger(__name__)


class _Call(Protocol[Answer_co]):
    def __call__(self, *, request_id: str, deadline: Deadline) -> Answer_co: ...


def ask(call: _Call[Answer]) -> Answer:
    """What `call`, a method of the stock client, answers.

    :raises Problem: 502, 503 or 504, there is no answer.
    """
    try:
        return call(request_id=g.request_id, deadline=Deadline.after(time_budget.RPC_DEADLINE))
    except StockServiceError as error:
        problem = problem_of_error(error)
        _log.warning("stock.no_answer", extra={"problem": problem.slug, "reason": str(error)})
        raise problem from error
