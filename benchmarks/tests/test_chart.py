"""The chart is SVG with a bar for each value, as long as the value is large."""

from xml.etree import ElementTree as ET

from benchmarks.chart import Bar, bar_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ET.fromstring(bar_chart("Calls", [Bar("a", 100), Bar("b", 400, ours=True)])).findall(f"{SVG}rect")  # noqa: S314  our own
    lengths = [float(each.attrib["width"]) for each in drawn]
    assert lengths[1] == 4 * lengths[0] > 0
    assert [each.attrib["class"] for each in drawn] == ["bar", "bar ours"]


def test_labels_and_values_are_written_whatever_is_in_them() -> None:
    drawn = ET.fromstring(bar_chart("A < B", [Bar("<x> & y", 1234.5)]))  # noqa: S314  our own
    assert [each.text for each in drawn.findall(f"{SVG}text")] == ["A < B", "<x> & y", "1,234"]


def test_it_has_colours_for_dark_pages() -> None:
    assert "prefers-color-scheme: dark" in bar_chart("Calls", [Bar("a", 1)])
