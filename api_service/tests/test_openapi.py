"""The document that the API makes of itself, its copy in docs, and the table of problems on the page on the calls."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.http import HTTP_STATUS_CODES

from api_service.audit import AuditEvent
from api_service.openapi import document_of
from api_service.openapi.document import UndescribedCallError
from api_service.problem_kinds import KINDS
from api_service.tests.helpers import Api
from api_service.tests.test_routes import ADMIN_ONLY, PAGES, PUBLIC
from scripts.write_openapi import FILE, openapi_text

ROOT = Path(__file__).parents[2]
NOT_OF_THE_API = {rule for _, rule in PAGES}
"""Routes of pages for people, which the document leaves out."""

MAKERS = {"Problem": (0, 1), "_Answer": (0, 1), "refusal": (None, 0), "tokens.refusal": (None, 0)}
"""What makes a problem in the code: where its status (None: 401) and its slug stand among the arguments."""

PASSED_ON = {"slug", "self.slug"}
"""In the makers themselves, which are given it by a caller."""

OF_WERKZEUG = (400, 404, 405, 413, 415, 500)
"""What the framework answers by itself; `service_kit.problems` names it after the exception."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(openapi_text())
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
    """Path, method and call."""
    for path, calls in document["paths"].items():
        yield from ((path, method.upper(), call) for method, call in calls.items())


def as_documented(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in `value`, itself included."""
    if isinstance(value, dict):
        yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        yield from objects_in(each)


def test_the_copy_in_docs_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == openapi_text(), "Write it anew: make openapi"


def test_it_is_served_to_anybody_and_again_only_when_it_has_changed(api: Api, document: dict[str, Any]) -> None:
    """It is the same with everything behind the routes; and made once."""
    answer = api.get("/api/v1/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.get_json() == document
    made = api.app.extensions["openapi_document"]
    headers = {"If-None-Match": answer.headers["ETag"]}
    again = api.client.get("/api/v1/openapi.json", headers=headers)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    other = api.client.get("/api/v1/openapi.json", headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.data) == (200, answer.data)
    assert api.app.extensions["openapi_document"] is made


def test_it_is_openapi_3_1_and_its_references_and_examples_are_right(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    names = [call["operationId"] for _, _, call in calls_of(document)]
    assert len(names) == len(set(names))
    shared = {f"#/components/{kind}/{name}" for kind, parts in document["components"].items() for name in parts}
    assert {part["$ref"] for part in objects_in(document) if "$ref" in part} <= shared
    described = [part for part in objects_in(document) if "schema" in part and "example" in part]
    assert len(described) > 15
    for part in described:
        schema = {**part["schema"], "components": document["components"]}
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(part["example"])


def test_every_answer_with_a_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = [call.get("requestBody", {}) for _, _, call in calls_of(document)]
    bodies += [answer for _, _, call in calls_of(document) for answer in call["responses"].values()]
    media = [each for body in bodies for name, each in body.get("content", {}).items() if name == "application/json"]
    assert [each for each in media if "example" not in each] == []


def test_it_has_the_version_of_the_project(document: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert document["info"]["version"] == project["version"]


def test_a_call_that_nobody_describes_is_refused(app: Flask) -> None:
    app.add_url_rule("/api/v1/new", view_func=lambda: "new")
    with pytest.raises(UndescribedCallError, match="/api/v1/new"):
        document_of(app)


def test_a_page_for_people_is_left_out(app: Flask, document: dict[str, Any]) -> None:
    app.add_url_rule("/page", view_func=lambda: "page")
    assert document_of(app) == document


def test_who_may_call_is_what_the_routes_are_tested_for(document: dict[str, Any]) -> None:
    calls = list(calls_of(document))
    open_to_all = {(method, path) for path, method, call in calls if call.get("security") == []}
    for_super_users = {(method, path) for path, method, call in calls if "super-users-only" in json.dumps(call)}
    assert open_to_all == {(method, as_documented(rule)) for method, rule in PUBLIC - PAGES}
    assert for_super_users == {(method, as_documented(rule)) for method, rule in ADMIN_ONLY}


def test_it_names_exactly_the_calls_that_there_are(document: dict[str, Any], api: Api) -> None:
    described = {(method, path) for path, method, _ in calls_of(document)}
    routes = {
        (method, as_documented(rule.rule))
        for rule in api.app.url_map.iter_rules()
        if rule.rule not in NOT_OF_THE_API
        for method in rule.methods - {"HEAD"}
        if not rule.endpoint.startswith("pages.")
    }
    assert described == routes


def test_it_names_exactly_the_events_of_the_audit_log(document: dict[str, Any]) -> None:
    (parameter,) = (
        part for part in document["paths"]["/api/v1/audit"]["get"]["parameters"] if part["name"] == "event"
    )
    entry = document["components"]["schemas"]["AuditEntry"]["properties"]["event"]
    assert parameter["schema"]["enum"] == entry["enum"] == list(AuditEvent)


def test_the_code_has_the_problems_that_everybody_knows(problems: set[tuple[int, str]]) -> None:
    """Or those that make them were renamed, and the search finds nothing."""
    one_of_each = {
        (400, "invalid-body"),
        (401, "token-invalid"),
        (404, "symbol-not-found"),
        (405, "method-not-allowed"),
    }
    assert one_of_each <= problems


def test_the_table_of_problems_has_exactly_those_of_the_code(problems: set[tuple[int, str]]) -> None:
    assert {(kind.status, kind.slug) for kind in KINDS.values()} == problems


def test_it_names_every_problem_at_its_status(document: dict[str, Any], problems: set[tuple[int, str]]) -> None:
    answers = document["components"]["responses"]
    described = {(405, slug) for slug in re.findall(r"405 `/problems/([a-z-]+)`", document["info"]["description"])}
    for _, _, call in calls_of(document):
        for status, answer in call["responses"].items():
            text = json.dumps(answers[answer["$ref"].rpartition("/")[2]]) if "$ref" in answer else ""
            described |= {(int(status), slug) for slug in re.findall(r'"/problems/([a-z-]+)"', text)}
    assert described == problems


def test_the_page_on_the_calls_has_one_row_for_each_status_with_all_its_problems(
    problems: set[tuple[int, str]],
) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ((?:\d{3}(?:, )?)+) \| (.*) \|$", page, re.MULTILINE)
    rows = [(int(status), text) for statuses, text in table for status in statuses.split(", ")]
    assert len(rows) == len(dict(rows))
    assert sorted((status, slug) for status, slug in problems if f"`{slug}`" not in dict(rows).get(status, "")) == []
