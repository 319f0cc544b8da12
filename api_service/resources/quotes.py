"""GET /api/v1/quotes?symbols=aapl.us,msft.us and /api/v1/quotes/aapl.us: all that is known of many quotes, or of one.

A symbol that is asked for twice in one list is answered twice, and each answer is an entry of the history.
"""

from typing import Final

from flask import Blueprint, Response

from api_service.auth.helpers import login_required
from api_service.resources.request_parts import symbol_of_path, symbols_of_query
from api_service.resources.schemas import FullQuoteBody
from api_service.resources.serving import serve_many, serve_one

blueprint = Blueprint("quotes", __name__)
_BODY: Final = FullQuoteBody()


@blueprint.get("/quotes")
@login_required
def quotes() -> Response:
    return serve_many(symbols_of_query("symbols"), _BODY)


@blueprint.get("/quotes/<symbol>")
@login_required
def quote(symbol: str) -> Response:
    return serve_one(symbol_of_path(symbol), _BODY)
