"""The documents speak of what is there: the tests and the files that they name exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEST = re.compile(r"`([\w/]+\.py)::([\w:]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@cache
def _tests_of(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    methods = {
        spelling
        for name, node in classes.items()
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        for spelling in (method.name, f"{name}::{method.name}")
    }
    return frozenset(functions | set(classes) | methods)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = TEST.findall(document.read_text(encoding="utf-8"))
    missing = [
        f"{file}::{test}" for file, test in named if not (ROOT / file).is_file() or test not in _tests_of(ROOT / file)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_links_to_exists(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
