"""GET /api/v1/quotes?symbols=aapl.us,msft.us and /api/v1/quotes/aapl.us: all that is known of many quotes, or of one.

A symbol that is asked for twice in one list is answered twice, and each answer is an entry of the history.
"""

from typing import Final

from flask import Blueprint, Response

from api_service.auth.helpers import login_required
from api_service.documented import Answer, Call, Tag, documented, list_of
from api_service.resources.request_parts import (
    IDEMPOTENCY_KEY,
    SYMBOL_OF_PATH,
    SYMBOLS,
    symbol_of_path,
    symbols_of_query,
)
from api_service.resources.schemas import FullQuoteBody, NoQuoteBody
from api_service.resources.serving import (
    MANY_PROBLEMS,
    ONE_PROBLEMS,
    REPLAYED,
    one_quote,
    serve_many,
    serve_one,
)
from stock_contract import MAX_SYMBOLS_PER_REQUEST

blueprint = Blueprint("quotes", __name__)
_BODY: Final = FullQuoteBody()
_QUOTE_EXAMPLE: Final = {
    "symbol": "AAPL.US",
    "name": "APPLE",
    "open": 148.43,
    "high": 150.4,
    "low": 147.48,
    "close": 149.99,
    "volume": 63804008,
    "currency": "USD",
    "source": "yahoo",
    "as_of": "2021-11-12T21:00:10Z",
    "fetched_at": "2021-11-12T21:15:00Z",
    "stale": False,
}
_NO_QUOTE_EXAMPLE: Final = {
    "symbol": "NOSUCH.XX",
    "error": {"type": "/problems/symbol-not-found", "title": "Unknown symbol"},
}


@blueprint.get("/quotes")
@documented(
    Call(
        "quotes",
        "Many quotes at once",
        Tag.QUOTES,
        (
            Answer(
                "One entry for each symbol, in order; those found are saved in the user's history",
                list_of({"oneOf": [FullQuoteBody, NoQuoteBody]}, at_least=1, at_most=MAX_SYMBOLS_PER_REQUEST),
                headers=(REPLAYED,),
                example=[_QUOTE_EXAMPLE, _NO_QUOTE_EXAMPLE],
            ),
        ),
        (SYMBOLS, IDEMPOTENCY_KEY),
        problems=MANY_PROBLEMS,
    )
)
@login_required
def quotes() -> Response:
    return serve_many(symbols_of_query("symbols"), _BODY)


@blueprint.get("/quotes/<symbol>")
@documented(
    Call(
        "quote",
        "All that is known of one quote",
        Tag.QUOTES,
        (one_quote(FullQuoteBody, _QUOTE_EXAMPLE),),
        (SYMBOL_OF_PATH, IDEMPOTENCY_KEY),
        problems=ONE_PROBLEMS,
    )
)
@login_required
def quote(symbol: str) -> Response:
    return serve_one(symbol_of_path(symbol), _BODY)
