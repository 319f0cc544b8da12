"""Keyset paging: `limit` and `before` of a query, and the `Link` header that leads to the next page.

A page is named by the id before which it ends, not by its number: what is added meanwhile shifts nothing, and the
thousandth page costs as much as the first (https://use-the-index-luke.com/no-offset).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from flask import Response, request

from api_service.documented import Header, Parameter
from service_kit.problems import Problem

Row = TypeVar("Row", bound=Mapping[Any, Any])
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_ID: Final = 10**18 - 1
"""All numbers up to this one fit into a database's 64 bits."""

LIMIT: Final = Parameter(
    "limit",
    "How many entries.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
BEFORE: Final = Parameter(
    "before",
    "Earlier entries only, those with a smaller id; the `Link` of an answer has it for the next page.",
    {"type": "integer", "minimum": 1, "maximum": MAX_ID},
)
PAGE: Final = (LIMIT, BEFORE)
LINK: Final = Header(
    "Link",
    "Leads to the next page (RFC 8288); not there on the last one",
    {"type": "string", "pattern": r'^</api/v1/[a-z/]+\?([^>]*&)?before=[0-9]+(&[^>]*)?>; rel="next"$'},
    always=False,
)
TOTAL_COUNT: Final = Header(
    "X-Total-Count",
    "How many entries there are on all pages together; not with CSV, which is all of them",
    {"type": "integer", "minimum": 0},
    always=False,
)


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` entries with ids below `before`."""

    limit: int
    before: int | None

    @property
    def one_more(self) -> int:
        """How many to read: the one more, which is not shown, tells that there is a next page."""
        return self.limit + 1


def page_of_query() -> Page:
    """The page that the query asks for.

    :raises Problem: 400, `limit` or `before` is there twice, or out of range.
    """
    limit = whole_number_of_query("limit", MAX_LIMIT)
    return Page(DEFAULT_LIMIT if limit is None else limit, whole_number_of_query("before", MAX_ID))


def whole_number_of_query(name: str, high: int) -> int | None:
    """The whole number from 1 to `high` in query parameter `name`; None when it is not there.

    :raises Problem: 400, it is there twice, or is no such number.
    """
    text = single_of_query(name, f"a whole number from 1 to {high}")
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) and 1 <= int(text) <= high:
        return int(text)
    raise invalid_parameter(name, f"a whole number from 1 to {high}")


def single_of_query(name: str, wanted: str) -> str | None:
    """The text in query parameter `name`; None when it is not there.

    :raises Problem: 400, it is there twice; `wanted` says what to send.
    """
    values = request.args.getlist(name)
    if len(values) > 1:
        raise invalid_parameter(name, wanted)
    return values[0] if values else None


def invalid_parameter(name: str, wanted: str) -> Problem:
    """The 400 for a query parameter; `wanted` says what to send."""
    return Problem(HTTPStatus.BAD_REQUEST, "invalid-parameter", f"Give {name} at most once: {wanted}.")


def cut(rows: Sequence[Row], page: Page) -> tuple[Sequence[Row], int | None]:
    """Of the `one_more` rows that were read, those to show, and the `before` of the next page if there is one."""
    shown = rows[: page.limit]
    return shown, shown[-1]["id"] if len(rows) > page.limit else None


def link_next(response: Response, before: int | None) -> Response:
    """Add the way to the next page, with the other parameters of this call (RFC 8288); none after the last page."""
    if before is not None:
        query = urlencode({**request.args, "before": before})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response
