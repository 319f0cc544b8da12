"""docs/openapi.yaml and README.md name what the code has: every call, every event of the audit log, every problem."""

import ast
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.http import HTTP_STATUS_CODES

from api_service.audit import AuditEvent
from api_service.tests.helpers import Api

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
MAKERS = {"Problem": (0, 1), "_Answer": (0, 1), "refusal": (None, 0), "tokens.refusal": (None, 0)}
"""What makes a problem in the code: where its status (None: 401) and its slug stand among the arguments."""

PASSED_ON = {"slug", "self.slug"}
"""In the makers themselves, which are given it by a caller."""

OF_WERKZEUG = (400, 404, 405, 413, 415, 500)
"""What the framework answers by itself; `service_kit.problems` names it after the exception."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def problems() -> set[tuple[int, str]]:
    """Status and slug of every problem that the code can answer with."""
    modules = chain((ROOT / "api_service").rglob("*.py"), (ROOT / "service_kit").rglob("*.py"))
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules if "tests" not in path.parts]
    by_werkzeug = {(status, HTTP_STATUS_CODES[status].lower().replace(" ", "-")) for status in OF_WERKZEUG}
    return by_werkzeug.union(*map(_problems_of, trees))


def _problems_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    constants = {
        ast.unparse(node.target): node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
    }
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) in MAKERS):
            continue
        at_status, at_slug = MAKERS[ast.unparse(call.func)]
        slug = ast.unparse(call.args[at_slug])
        if slug not in PASSED_ON:
            status = "HTTPStatus.UNAUTHORIZED" if at_status is None else ast.unparse(call.args[at_status])
            known = constants[slug] if slug in constants else ast.literal_eval(slug)
            yield HTTPStatus[status.removeprefix("HTTPStatus.")], known


def calls_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and call; a path also has the parameters that its calls share."""
    for path, calls in document["paths"].items():
        yield from ((path, method, call) for method, call in calls.items() if method != "parameters")


def test_it_names_exactly_the_calls_that_there_are(document: dict[str, Any], api: Api) -> None:
    described = {(method.upper(), path) for path, method, _ in calls_of(document)}
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD"}
        if not rule.endpoint.startswith("pages.")
    }
    assert described == routes


def test_it_names_exactly_the_events_of_the_audit_log(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["AuditEvent"]["enum"] == list(AuditEvent)


def test_the_code_has_the_problems_that_everybody_knows(problems: set[tuple[int, str]]) -> None:
    """Or those that make them were renamed, and the search finds nothing."""
    one_of_each = {
        (400, "invalid-body"),
        (401, "token-invalid"),
        (404, "symbol-not-found"),
        (405, "method-not-allowed"),
    }
    assert one_of_each <= problems


def test_it_names_every_problem_at_its_status(document: dict[str, Any], problems: set[tuple[int, str]]) -> None:
    answers = document["components"]["responses"]
    described = {(405, slug) for slug in re.findall(r"405 `/problems/([a-z-]+)`", document["info"]["description"])}
    for _, _, call in calls_of(document):
        for status, answer in call["responses"].items():
            text = json.dumps(answers[answer["$ref"].rpartition("/")[2]]) if "$ref" in answer else ""
            described |= {(int(status), slug) for slug in re.findall(r'"/problems/([a-z-]+)"', text)}
    assert described == problems


def test_the_readme_has_one_row_for_each_status_with_all_its_problems(problems: set[tuple[int, str]]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ((?:\d{3}(?:, )?)+) \| (.*) \|$", readme, re.MULTILINE)
    rows = [(int(status), text) for statuses, text in table for status in statuses.split(", ")]
    assert len(rows) == len(dict(rows))
    assert sorted((status, slug) for status, slug in problems if f"`{slug}`" not in dict(rows).get(status, "")) == []
