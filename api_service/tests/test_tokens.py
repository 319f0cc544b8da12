import base64
import time
from datetime import timedelta
from typing import Any

import flask_jwt_extended
import jwt
import pytest
from flask import Flask
from sqlalchemy import update

from api_service import users
from api_service.database import writing
from api_service.models import Role, User
from api_service.tests.helpers import Api, ExpectProblem

HISTORY = "/api/v1/users/history"
KEY = "for-development-only-never-in-production"


@pytest.fixture
def claims(api: Api) -> dict[str, Any]:
    """Those of a good token of johndoe."""
    return jwt.decode(api.token_of("johndoe"), options={"verify_signature": False})


def signed(claims: dict[str, Any], key: str | None = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_token_of_our_making_passes(api: Api, claims: dict[str, Any]) -> None:
    assert api.get(HISTORY, token=signed(claims)).status_code == 200


def test_without_a_token_the_answer_says_how_to_get_one(api: Api, expect_problem: ExpectProblem) -> None:
    body = expect_problem(api.get(HISTORY), 401, "token-missing")
    assert "Authorization: Bearer" in body["detail"]


@pytest.mark.parametrize("missing", ["exp", "iat", "jti", "iss", "aud", "sub"])
def test_a_token_that_leaves_a_claim_out_is_refused(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem, missing: str
) -> None:
    del claims[missing]
    expect_problem(api.get(HISTORY, token=signed(claims)), 401, "token-invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "somebody"},
        {"sub": 2},
        {"sub": "4711"},
        {"sub": "-1"},
        {"sub": ""},
        {"sub": "²"},
        {"sub": "9" * 30},
        {"sub": "admin"},
        {"type": "refresh"},
        {"iat": time.time() + 3600},
        {"nbf": time.time() + 3600},
        {"exp": "soon"},
        {"jti": None},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem, wrong: dict[str, Any]
) -> None:
    expect_problem(api.get(HISTORY, token=signed(claims | wrong)), 401, "token-invalid")


def test_an_expired_token_is_refused_after_the_leeway(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem
) -> None:
    assert api.get(HISTORY, token=signed(claims | {"exp": time.time() - 5})).status_code == 200
    expect_problem(api.get(HISTORY, token=signed(claims | {"exp": time.time() - 11})), 401, "token-expired")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem, algorithm: str
) -> None:
    key = None if algorithm == "none" else KEY * 2
    expect_problem(api.get(HISTORY, token=signed(claims, key, algorithm)), 401, "token-invalid")


def test_a_token_of_another_key_is_refused(api: Api, claims: dict[str, Any], expect_problem: ExpectProblem) -> None:
    expect_problem(api.get(HISTORY, token=signed(claims, "x" * 40)), 401, "token-invalid")


def test_a_token_with_any_character_changed_is_refused(api: Api) -> None:
    token = api.token_of("johndoe")
    for position in range(0, len(token), 7):
        other = "A" if token[position] != "A" else "B"
        changed = token[:position] + other + token[position + 1 :]
        # The last character of a part holds bits that do not count.
        if _decoded(changed) != _decoded(token):
            assert api.get(HISTORY, token=changed).status_code == 401, position


def _decoded(token: str) -> list[bytes] | None:
    try:
        return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("header", "slug"),
    [
        ("", "token-missing"),
        ("Bearer", "token-invalid"),
        ("Bearer ", "token-invalid"),
        ("Bearer a b", "token-invalid"),
        ("Bearer x", "token-invalid"),
        ("Bearer a.b.c", "token-invalid"),
        ("Bearer ä.ö.ü", "token-invalid"),
        ("Bearer ...", "token-invalid"),
        ("Basic YWRtaW46YWRtaW4=", "token-missing"),
        ("bearer x", "token-missing"),
        ("Bearer x, Bearer y", "token-missing"),
        (",", "token-missing"),
        ("Bearer " + base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.x", "token-invalid"),
    ],
)
def test_a_header_that_is_no_token_is_refused(api: Api, expect_problem: ExpectProblem, header: str, slug: str) -> None:
    response = api.client.get(HISTORY, headers={"Authorization": header.encode().decode("latin-1")})
    expect_problem(response, 401, slug)


def test_a_token_counts_in_the_header_only(api: Api) -> None:
    token = api.token_of("johndoe")
    api.client.set_cookie("access_token_cookie", token)
    assert api.get(HISTORY, jwt=token).status_code == 401
    assert api.client.get(HISTORY, json={"access_token": token}).status_code == 401


def test_a_refresh_token_is_no_access_token(app: Flask, api: Api, expect_problem: ExpectProblem) -> None:
    with app.app_context():
        token = flask_jwt_extended.create_refresh_token("2", expires_delta=timedelta(hours=1))
    expect_problem(api.get(HISTORY, token=token), 401, "token-invalid")


def test_an_inactive_user_is_out_at_once(app: Flask, api: Api, expect_problem: ExpectProblem) -> None:
    token = api.token_of("johndoe")
    assert api.get(HISTORY, token=token).status_code == 200
    with app.app_context():
        users.deactivate_user("johndoe")
    expect_problem(api.get(HISTORY, token=token), 401, "token-invalid")


def test_the_role_is_that_of_the_database_whatever_the_token_says(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    token = api.token_of("admin")
    assert api.get("/api/v1/stats", token=token).status_code == 200
    with app.app_context(), writing() as connection:
        connection.execute(update(User).where(User.username == "admin").values(role=Role.USER))
    expect_problem(api.get("/api/v1/stats", token=token), 403, "super-users-only")


def test_a_role_in_the_token_has_no_effect(api: Api, claims: dict[str, Any], expect_problem: ExpectProblem) -> None:
    token = signed(claims | {"role": "ADMIN", "is_admin": True})
    expect_problem(api.get("/api/v1/stats", token=token), 403, "super-users-only")


def test_tokens_stay_out_of_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    api.get(HISTORY, token="secret-canary")
    assert caplog.messages == ["auth.token_rejected"]
    assert "secret-canary" not in str([record.__dict__ for record in caplog.records])
