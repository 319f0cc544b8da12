"""Numbers, tables, and the place in a document that is written."""

import pytest

from benchmarks.markdown import number, replaced, table

DOCUMENT = "before\n<!-- measured: x -->\nold\n<!-- end of x -->\nafter\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.012"),
        (0.30, "0.3"),
        (1, "1"),
        (9.96, "10"),
        (12.3, "12"),
        (123.4, "123"),
        (14844, "14,844"),
    ],
)
def test_a_number_has_two_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["a", "b"], [["1", "2"], ["3", "4"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"


def test_only_what_is_between_the_markers_is_replaced() -> None:
    once = replaced(DOCUMENT, "x", r"new \1")
    assert once == "before\n<!-- measured: x -->\n\nnew \\1\n\n<!-- end of x -->\nafter\n"
    assert replaced(once, "x", r"new \1") == once


@pytest.mark.parametrize(
    "document",
    [
        "",
        DOCUMENT + DOCUMENT,
        DOCUMENT.replace("end of", "fin of"),
        "<!-- end of x --> <!-- measured: x -->",
    ],
    ids=["none", "twice", "no end", "end first"],
)
def test_a_document_without_a_place_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="markers of x"):
        replaced(document, "x", "new")
