"""GET /api/v1/users/history?limit=9&before=47&symbol=aapl.us&from=2026-11-01&to=2026-11-30: what the user was served.

The latest comes first. GET /api/v1/users/history.csv, or `Accept: text/csv`, is all of it as one file.
"""

from typing import Final

from flask import Blueprint, Response, jsonify, request

from api_service import history_csv, history_reading
from api_service.auth.helpers import login_required
from api_service.auth.tokens import current_user
from api_service.database import reading
from api_service.documented import Answer, Call, Header, Parameter, Tag, documented, list_of
from api_service.history_reading import Filters
from api_service.history_totals import total
from api_service.resources import exports, paging
from api_service.resources.periods import PERIOD, period_of_query
from api_service.resources.request_parts import SYMBOL
from api_service.resources.schemas import HistoryEntryBody
from stock_contract import MAX_SYMBOL_LENGTH, is_valid_symbol

blueprint = Blueprint("history", __name__)
_ENTRIES: Final = HistoryEntryBody(many=True)
_CSV: Final = "text/csv"
_OFFERED: Final = ("application/json", _CSV)
"""The first is for those to whom it is all the same."""
_TABLE: Final = {"type": "string", "examples": [",".join(history_csv.COLUMNS) + "\r\n"]}
_ATTACHED: Final = Header(
    "Content-Disposition",
    "With CSV: that it is a file, and its name",
    {"const": 'attachment; filename="history.csv"'},
    always=False,
)
_FILTERS: Final = (Parameter("symbol", "Entries of this symbol only, in upper or lower case.", SYMBOL), *PERIOD)
_A_SYMBOL: Final = f"a stock symbol of 1 to {MAX_SYMBOL_LENGTH} characters, as aapl.us"


@blueprint.get("/users/history")
@documented(
    Call(
        "history",
        "What the calling user was served",
        Tag.USERS,
        (
            Answer(
                "The latest entry first",
                list_of(HistoryEntryBody, at_most=paging.MAX_LIMIT),
                headers=(paging.TOTAL_COUNT, paging.LINK, _ATTACHED),
                example=[
                    {
                        "date": "2021-04-01T19:20:30Z",
                        "name": "APPLE",
                        "symbol": "AAPL.US",
                        "open": 123.66,
                        "high": 124.18,
                        "low": 122.49,
                        "close": 123,
                    }
                ],
                other_media={_CSV: _TABLE},
            ),
        ),
        (*paging.PAGE, *_FILTERS),
        problems=("too-many-exports",),
        description="With `Accept: text/csv` it answers as `/users/history.csv`: all, whatever `limit` and `before`.",
    )
)
@login_required
def own_history() -> Response:
    answer = _csv() if request.accept_mimetypes.best_match(_OFFERED) == _CSV else _page()
    answer.vary.add("Accept")
    return answer


@blueprint.get("/users/history.csv")
@documented(
    Call(
        "historyAsCsv",
        "All that the calling user was served, as a file",
        Tag.USERS,
        (Answer("A header row and the entries", headers=(_ATTACHED,), other_media={_CSV: _TABLE}),),
        _FILTERS,
        problems=("too-many-exports",),
        description=(
            "The latest entry first; in UTF-8, with exact prices, and an apostrophe before a text that a spreadsheet"
            " would take for a formula. It is sent while it is read: when something breaks, the transfer ends without"
            " its end."
        ),
    )
)
@login_required
def own_history_as_csv() -> Response:
    return _csv()


def _page() -> Response:
    user_id, page, filters = current_user().id, paging.page_of_query(), _filters_of_query()
    with reading() as connection:
        found = history_reading.page(connection, user_id, filters, page.one_more, page.before)
        entries = total(connection, user_id, filters)
    shown, following = paging.cut(found, page)
    answer = paging.link_next(jsonify(_ENTRIES.dump(shown)), following)
    answer.headers["X-Total-Count"] = str(entries)
    return answer


def _csv() -> Response:
    return exports.streamed(history_csv.lines(current_user().id, _filters_of_query()), _CSV, "history.csv")


def _filters_of_query() -> Filters:
    symbol = paging.single_of_query("symbol", _A_SYMBOL)
    if symbol is not None and not is_valid_symbol(symbol):
        raise paging.invalid_parameter("symbol", _A_SYMBOL)
    start, end = period_of_query()
    return Filters(symbol and symbol.upper(), start, end)
