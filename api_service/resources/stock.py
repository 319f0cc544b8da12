"""GET /api/v1/stock?q=aapl.us: one quote, in the three keys of the contract."""

from typing import Final

from flask import Blueprint, Response

from api_service.auth.helpers import login_required
from api_service.documented import Call, Tag, documented
from api_service.resources.request_parts import IDEMPOTENCY_KEY, Q, symbol_of_query
from api_service.resources.schemas import QuoteBody
from api_service.resources.serving import ONE_PROBLEMS, one_quote, serve_one

blueprint = Blueprint("stock", __name__)
_BODY: Final = QuoteBody()


@blueprint.get("/stock")
@documented(
    Call(
        "stock",
        "One quote, in three keys",
        Tag.QUOTES,
        (one_quote(QuoteBody, {"symbol": "AAPL.US", "company_name": "APPLE", "quote": 123.45}),),
        (Q, IDEMPOTENCY_KEY),
        problems=ONE_PROBLEMS,
    )
)
@login_required
def stock() -> Response:
    return serve_one(symbol_of_query("q"), _BODY)
