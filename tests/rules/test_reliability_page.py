"""docs/reliability.md has one row for each of its 57 faults, and each names a test that shows it.

That the tests which documents name exist is checked in test_documents.py.
"""

import re

from tests.rules.compose_files import ROOT

ROWS = re.findall(r"^\| (\d+) \|(.*)$", (ROOT / "docs/reliability.md").read_text(encoding="utf-8"), re.MULTILINE)
FAULTS = 57


def test_every_fault_has_its_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, FAULTS + 1))


def test_every_row_names_a_test() -> None:
    assert [number for number, row in ROWS if not re.search(r"`[\w/]+\.py::[\w:]+`", row)] == []
