"""Pieces of Markdown, and the place in a document that a program writes."""

import re
from collections.abc import Sequence
from typing import Final

_SIGNIFICANT: Final = 2
_LARGE: Final = 100


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """To two digits that mean something; three and more before the point are all written."""
    if value == 0:
        return "0"
    if value >= _LARGE:
        return f"{value:,.0f}"
    return f"{float(f'{value:.{_SIGNIFICANT}g}'):.10f}".rstrip("0").rstrip(".")


def replaced(document: str, name: str, text: str) -> str:
    """`document` with `text` between the markers of `name`, which stay.

    :raises ValueError: the document does not have both markers once, in their order.
    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if document.count(begin) != 1 or document.count(end) != 1 or not pattern.search(document):
        raise ValueError(f"the document does not have the markers of {name} once and in their order")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", document)
