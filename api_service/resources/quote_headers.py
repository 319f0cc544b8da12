"""The headers of an answer with one quote: where it comes from, how old it is, and how long it may be kept."""

from datetime import datetime

from api_service.resources.schemas import utc_text
from stock_contract import Quote


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
