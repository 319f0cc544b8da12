"""Everybody who is measured has a server and a client."""

import pytest

from benchmarks.rpc.implementations import IMPLEMENTATIONS, ROOT, Implementation


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda each: each.folder)
def test_both_sides_are_there(implementation: Implementation) -> None:
    folder = ROOT / "benchmarks/rpc/programs" / implementation.folder
    assert {file.stem for file in folder.glob("*.py")} >= {"__init__", "server", "client"}
    assert implementation.command("client")[1:] == ["-m", f"benchmarks.rpc.programs.{implementation.folder}.client"]


def test_nobody_is_there_who_is_not_measured() -> None:
    folders = {file.parent.name for file in (ROOT / "benchmarks/rpc/programs").glob("*/client.py")}
    assert folders == {each.folder for each in IMPLEMENTATIONS}
