"""The headers of an answer with one quote: where it comes from, how old it is, and how long it may be kept."""

from datetime import datetime
from typing import Final

from api_service.documented import Header
from api_service.resources.body_fields import utc_text
from stock_contract import Quote

QUOTE_HEADERS: Final = (
    Header("Quote-Source", "The provider of the quote", {"type": "string", "minLength": 1}),
    Header("Quote-As-Of", "When the price was true, as the provider says", {"type": "string", "format": "date-time"}),
    Header(
        "Quote-Stale",
        "There when every provider fails and this is the last quote that was read",
        {"const": "true"},
        always=False,
    ),
    Header("Age", "Whole seconds since the stock service read the quote", {"type": "integer", "minimum": 0}),
    Header(
        "Cache-Control",
        "For how long the service would answer with the same quote",
        {"type": "string", "pattern": "^private, max-age=[0-9]+$"},
    ),
    Header("Vary", "What the answer depends on beside the address", {"type": "string"}),
)


def quote_headers(quote: Quote, now: datetime) -> dict[str, str]:
    """The headers at the moment `now`.

    `Age` counts whole seconds since the stock service read the quote; `max-age` is what is left of the time in which
    it would answer with the same quote again, so that nobody keeps one for longer than we do.
    """
    now = max(now, quote.fetched_at)  # the clock of the stock service may be ahead of ours
    left = 0.0 if quote.fresh_until is None else (quote.fresh_until - now).total_seconds()
    headers = {
        "Quote-Source": quote.source,
        "Quote-As-Of": utc_text(quote.as_of),
        "Age": str(int((now - quote.fetched_at).total_seconds())),
        "Cache-Control": f"private, max-age={max(0, int(left))}",
        "Vary": "Authorization",  # kept for one user, it is no answer to another or to nobody
    }
    return headers | {"Quote-Stale": "true"} if quote.stale else headers
