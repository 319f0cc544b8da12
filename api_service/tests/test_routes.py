from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from api_service.tests.helpers import Api, ExpectProblem

PUBLIC = {("POST", "/api/v1/login"), ("GET", "/healthz")}
ADMIN_ONLY = {("GET", "/api/v1/stats"), ("GET", "/api/v1/providers")}
USERS = {
    ("GET", "/api/v1/stock"),
    ("GET", "/api/v1/quotes"),
    ("GET", "/api/v1/quotes/<symbol>"),
    ("GET", "/api/v1/users/history"),
}


def calls_of(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD"}:
            yield method, rule.rule


def test_every_call_needs_a_token_unless_it_is_listed_as_public(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    guarded = set(calls_of(app)) - PUBLIC
    assert guarded == ADMIN_ONLY | USERS
    for method, path in guarded:
        expect_problem(api.client.open(path, method=method), 401, "token-missing")


def test_every_call_for_super_users_refuses_others(app: Flask, api: Api, expect_problem: ExpectProblem) -> None:
    for method, path in ADMIN_ONLY:
        headers = {"Authorization": f"Bearer {api.token_of('johndoe')}"}
        expect_problem(api.client.open(path, method=method, headers=headers), 403, "super-users-only")


def test_every_call_is_in_one_of_the_lists(app: Flask) -> None:
    assert set(calls_of(app)) == PUBLIC | USERS | ADMIN_ONLY


def test_health_needs_no_token_and_no_database(api: Api, database_path: Path) -> None:
    database_path.unlink()
    response = api.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1/nothing",
        "/api/v1/users/2/history",
        "/api/v1/stock/",
        "/api/v1/quotes/",
        "/api/v1/quotes/a/b",
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
    ],
)
def test_another_method_is_a_405_that_names_the_right_ones(
    api: Api, expect_problem: ExpectProblem, method: str, path: str, allowed: str
) -> None:
    response = api.client.open(path, method=method)
    expect_problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == allowed


def test_every_answer_has_the_security_headers(api: Api) -> None:
    for response in (api.get("/healthz"), api.get("/nothing"), api.get("/api/v1/stats"), api.log_in("a", 1)):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.is_json or response.content_type == "application/problem+json"
