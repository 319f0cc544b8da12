import base64
import json
import time
from typing import Any

import jwt
import pytest
from flask import Flask
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

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


@pytest.mark.parametrize("missing", ["exp", "iat", "jti", "iss", "aud", "sub", "tv", "fam", "type"])
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
        {"sub": str(2**31)},
        {"sub": "admin"},
        {"type": "refresh"},
        {"type": "other"},
        {"type": None},
        {"exp": "soon"},
        {"exp": []},
        {"iat": {}},
        {"nbf": None},
        {"sub": None},
        {"aud": {"a": 1}},
        {"type": []},
        {"type": {}},
        {"jti": None},
        {"jti": 7},
        {"fam": None},
        {"fam": ["x"]},
        {"tv": None},
        {"tv": 1},
        {"tv": -1},
        {"tv": "0"},
        {"tv": 0.0},
        {"tv": False},
        {"tv": 2**31},
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


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_is_refused_beyond_the_leeway(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem, claim: str
) -> None:
    """As when the clock of the process that made it is ahead by so many seconds."""
    assert api.get(HISTORY, token=signed(claims | {claim: time.time() + 8})).status_code == 200
    ahead = api.get(HISTORY, token=signed(claims | {claim: time.time() + 60}))
    expect_problem(ahead, 401, "token-not-yet-valid")
    forged = api.get(HISTORY, token=signed(claims | {claim: time.time() + 60}, "x" * 40))
    expect_problem(forged, 401, "token-invalid")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused(
    api: Api, claims: dict[str, Any], expect_problem: ExpectProblem, algorithm: str
) -> None:
    key = None if algorithm == "none" else KEY * 2
    expect_problem(api.get(HISTORY, token=signed(claims, key, algorithm)), 401, "token-invalid")


def test_a_token_of_another_key_is_refused(api: Api, claims: dict[str, Any], expect_problem: ExpectProblem) -> None:
    expect_problem(api.get(HISTORY, token=signed(claims, "x" * 40)), 401, "token-invalid")


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_with_any_byte_changed_is_refused(app: Flask, api: Api, kind: str) -> None:
    pair = api.pair_of("johndoe")
    token, call = (pair.token, "/api/v1/logout") if kind == "access" else (pair.refresh_token, "/api/v1/refresh")

    @settings(max_examples=200, deadline=None, database=None)
    @given(position=st.integers(0, len(token) - 1), byte=st.integers(0x21, 0xFF).filter(lambda byte: byte != 0x7F))
    def check(position: int, byte: int) -> None:
        changed = token[:position] + chr(byte) + token[position + 1 :]
        assume(_meaning(changed) != _meaning(token))
        assert api.post(call, token=changed).status_code == 401

    check()
    assert api.post(call, token=token).status_code < 300


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def test_whoever_has_no_key_gets_a_401_whatever_they_write_into_a_token(api: Api, claims: dict[str, Any]) -> None:
    @settings(max_examples=300, deadline=None, database=None)
    @given(
        header=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk"]), ANY_JSON), data=st.data()
    )
    def check(header: dict[str, Any], data: st.DataObject) -> None:
        forged = claims | data.draw(st.dictionaries(st.sampled_from(sorted(claims)), ANY_JSON, max_size=3))
        parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"} | header, forged)]
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"x" * 32))
        assert api.get(HISTORY, token=token).status_code == 401

    check()


def _meaning(token: str) -> tuple[str, bytes | None]:
    """What is signed, letter by letter, and the bytes of the signature.

    Two bits of a signature's last character belong to none of its bytes, and `+` and `/` are read as `-` and `_`: with
    other ones it is the same signature.
    """
    text, _, signature = token.rpartition(".")
    try:
        return text, base64.urlsafe_b64decode(signature + "=")
    except ValueError:
        return text, None


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
