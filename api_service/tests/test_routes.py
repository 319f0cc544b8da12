from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from api_service.tests.helpers import Api, ExpectProblem

PAGES = {("GET", "/"), ("GET", "/docs"), ("GET", "/assets/<path:name>")}
PUBLIC = {
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),  # without a session it ends none
    ("GET", "/healthz"),
    ("GET", "/api/v1/openapi.json"),
    *PAGES,
}
ADMIN_ONLY = {
    ("GET", "/api/v1/stats"),
    ("GET", "/api/v1/providers"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("GET", "/api/v1/users/<int:user_id>"),
    ("PATCH", "/api/v1/users/<int:user_id>"),
}
PUBLIC_HEADS = {("HEAD", path) for method, path in PUBLIC if method == "GET"}
USERS = {
    ("GET", "/api/v1/stock"),
    ("GET", "/api/v1/quotes"),
    ("GET", "/api/v1/quotes/<symbol>"),
    ("GET", "/api/v1/users/history"),
    ("GET", "/api/v1/users/history.csv"),
    ("GET", "/api/v1/users/me"),
    ("POST", "/api/v1/users/me/password"),
    ("POST", "/api/v1/logout"),
    ("POST", "/api/v1/refresh"),
    ("POST", "/api/v1/session/refresh"),
}


def calls_of(app: Flask) -> Iterator[tuple[str, str]]:
    """Every method of every address, but HEAD: it runs what GET runs, and is tried for each GET below."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD"}:
            yield method, rule.rule


def address(rule: str) -> str:
    """One that the rule matches."""
    texts = {"<symbol>": "aapl.us", "<int:user_id>": "1", "<path:name>": "console/icon.svg"}
    for part, text in texts.items():
        rule = rule.replace(part, text)
    return rule


def test_every_call_needs_a_token_unless_it_is_listed_as_public(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    guarded = set(calls_of(app)) - PUBLIC
    assert guarded == ADMIN_ONLY | USERS
    assert unguarded(api) == set()
    for method, path in guarded:
        expect_problem(api.client.open(address(path), method=method), 401, "token-missing")


def unguarded(api: Api) -> set[tuple[str, str]]:
    """The calls, HEAD among them, that are not listed as public and let somebody in without a token."""
    calls = {(method, rule.rule) for rule in api.app.url_map.iter_rules() for method in rule.methods}
    return {call for call in calls - PUBLIC - PUBLIC_HEADS if _status(api, *call) != 401}


def _status(api: Api, method: str, path: str) -> int:
    return api.client.open(address(path), method=method).status_code


def test_a_new_call_without_a_guard_would_be_found(app: Flask, api: Api) -> None:
    app.add_url_rule("/api/v1/new", view_func=lambda: "open", methods=["GET", "DELETE", "OPTIONS"])
    new = {(method, "/api/v1/new") for method in ("GET", "HEAD", "DELETE", "OPTIONS")}
    assert unguarded(api) == new


def test_a_head_is_answered_as_a_get_without_a_body(app: Flask, api: Api) -> None:
    for method, path in calls_of(app):
        if method == "GET":
            headers = {"Authorization": f"Bearer {api.token_of('admin')}"}
            query = {"q": "aapl.us", "symbols": "aapl.us"}
            got = api.client.get(address(path), headers=headers, query_string=query)
            head = api.client.head(address(path), headers=headers, query_string=query)
            assert (head.status_code, head.content_type, head.data) == (got.status_code, got.content_type, b"")


def test_every_call_for_super_users_refuses_others(app: Flask, api: Api, expect_problem: ExpectProblem) -> None:
    for method, path in ADMIN_ONLY:
        headers = {"Authorization": f"Bearer {api.token_of('johndoe')}"}
        expect_problem(api.client.open(address(path), method=method, headers=headers), 403, "super-users-only")


def test_every_call_is_in_one_of_the_lists(app: Flask) -> None:
    assert set(calls_of(app)) == PUBLIC | USERS | ADMIN_ONLY


def test_health_needs_no_token_and_no_database(api: Api, database_path: Path) -> None:
    database_path.unlink()
    response = api.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/users/2/history",
        "/api/v1/stock/",
        "/api/v1/quotes/",
        "/api/v1/quotes/a/b",
        "/api/v1/users/",
        "/api/v1/users/admin",
        "/api/v1/users/-1",
        "/static/x",
    ],
)
def test_an_unknown_address_is_a_404(api: Api, expect_problem: ExpectProblem, path: str) -> None:
    expect_problem(api.get(path, by="johndoe"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/v1/login", "POST"),
        ("POST", "/api/v1/stock", "GET, HEAD"),
        ("DELETE", "/api/v1/users/history", "GET, HEAD"),
        ("OPTIONS", "/api/v1/stats", "GET, HEAD"),
        ("POST", "/api/v1/quotes", "GET, HEAD"),
        ("DELETE", "/api/v1/quotes/a", "GET, HEAD"),
        ("PUT", "/api/v1/providers", "GET, HEAD"),
        ("DELETE", "/api/v1/audit", "GET, HEAD"),
        ("GET", "/api/v1/refresh", "POST"),
        ("GET", "/api/v1/logout", "POST"),
        ("GET", "/api/v1/session", "DELETE, POST"),
        ("DELETE", "/api/v1/session/refresh", "POST"),
        ("GET", "/api/v1/users/me/password", "POST"),
        ("DELETE", "/api/v1/users/me", "GET, HEAD"),
        ("DELETE", "/api/v1/users", "GET, HEAD, POST"),
        ("DELETE", "/api/v1/users/1", "GET, HEAD, PATCH"),
        ("POST", "/api/v1/openapi.json", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("DELETE", "/assets/console/icon.svg", "GET, HEAD"),
    ],
)
def test_another_method_is_a_405_that_names_the_right_ones(
    api: Api, expect_problem: ExpectProblem, method: str, path: str, allowed: str
) -> None:
    response = api.client.open(path, method=method)
    expect_problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == allowed


def test_every_answer_is_json(api: Api) -> None:
    for response in (api.get("/healthz"), api.get("/nothing"), api.get("/api/v1/stats"), api.log_in("a", 1)):
        assert response.is_json or response.content_type == "application/problem+json"
