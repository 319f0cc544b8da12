import logging
import threading
import time
from typing import Any
from unittest.mock import Mock

import argon2
import jwt
import pytest
from flask import Flask
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from api_service import services, users
from api_service.auth.passwords import Passwords, argon2id
from api_service.database import writing
from api_service.tests.helpers import Api, CountingHasher, ExpectProblem, HoldLock
from service_kit.logs import configure_logging


def test_the_right_password_gives_a_bearer_token_for_an_hour(api: Api) -> None:
    response = api.log_in("admin", "admin")
    body = response.get_json()
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert list(body) == ["token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"]
    assert (body["token_type"], body["expires_in"], body["refresh_expires_in"]) == ("Bearer", 3600, 7 * 24 * 3600)
    claims = jwt.decode(body["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 5
    assert api.get("/api/v1/stats", token=body["token"]).status_code == 200


def test_the_token_says_who_but_not_what_they_may_do(api: Api) -> None:
    claims = jwt.decode(api.log_in("admin", "admin").get_json()["token"], options={"verify_signature": False})
    assert claims.keys() == {"sub", "iss", "aud", "exp", "iat", "nbf", "jti", "tv", "fam", "type", "fresh"}


def test_wrong_password_unknown_user_and_inactive_user_cannot_be_told_apart(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    with app.app_context():
        users.deactivate_user("jane")
    refusals = [api.log_in("johndoe", "wrong"), api.log_in("nobody", "john"), api.log_in("jane", "jane")]
    bodies = [expect_problem(response, 401, "login-failed") for response in refusals]
    assert len({(body["type"], body["title"], body["detail"]) for body in bodies}) == 1


@pytest.mark.parametrize(
    ("username", "password", "status"),
    [("johndoe", "john", 200), ("johndoe", "wrong", 401), ("nobody", "john", 401), ("jane", "jane", 401)],
    ids=["right", "wrong password", "unknown user", "inactive user"],
)
def test_every_branch_hashes_exactly_once(
    app: Flask, api: Api, hasher: CountingHasher, username: str, password: str, status: int
) -> None:
    with app.app_context():
        users.deactivate_user("jane")
    assert api.log_in(username, password).status_code == status
    assert hasher.work == 1


def test_a_hash_of_other_parameters_is_replaced_at_the_next_log_in(app: Flask, api: Api) -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    with app.app_context():
        users.set_password_hash("johndoe", weaker.hash("john"))
    assert api.log_in("johndoe", "john").status_code == 200
    with app.app_context():
        stored = users.find_credentials("johndoe").password_hash
    assert not argon2id().check_needs_rehash(stored)
    assert api.log_in("johndoe", "john").status_code == 200


def test_a_password_that_is_changed_during_the_log_in_stays_changed(app: Flask) -> None:
    with app.app_context():
        read = users.find_credentials("johndoe")
        users.set_password_hash("johndoe", "changed")
        with writing() as connection:
            users.replace_hash(connection, read, "the former password under a better hash")
        assert users.find_credentials("johndoe").password_hash == "changed"


def test_nobody_gets_in_while_the_log_in_cannot_be_recorded(
    api: Api, hasher: CountingHasher, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    with locked_database():
        expect_problem(api.log_in("johndoe", "john"), 503, "database-unavailable")
    assert hasher.work == 0
    assert api.log_in("johndoe", "john").status_code == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": "admin"}, {"password"}),
        ({"username": "admin", "password": None}, {"password"}),
        ({"username": 7, "password": ["admin"]}, {"username", "password"}),
        ({"username": "admin", "password": "admin", "role": "ADMIN"}, {"role"}),
        ({"username": "", "password": ""}, {"username", "password"}),
        ({"username": "a" * 65, "password": "p" * 129}, {"username", "password"}),
        ({"username": "\ud800", "password": "\ud800"}, {"username", "password"}),
        ({"username": "a\0b", "password": "admin"}, {"username"}),
        ([], {"_schema"}),
        ("admin", {"_schema"}),
    ],
)
def test_a_body_of_another_form_is_refused_before_hashing(
    api: Api, hasher: CountingHasher, expect_problem: ExpectProblem, body: Any, fields: set[str]
) -> None:
    response = api.client.post("/api/v1/login", json=body)
    errors = response.get_json()["errors"]
    expect_problem(response, 400, "invalid-body", errors=errors)
    assert errors.keys() == fields
    assert hasher.work == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 10_000, b'{"username": "admin",}', b"1" * 5_000])
def test_a_body_that_is_not_json_is_refused(api: Api, expect_problem: ExpectProblem, body: Any) -> None:
    response = api.client.post("/api/v1/login", data=body, content_type="application/json")
    expect_problem(response, 400, "malformed-json")


def test_a_body_that_is_null_is_refused(api: Api, expect_problem: ExpectProblem) -> None:
    response = api.client.post("/api/v1/login", data=b"null", content_type="application/json")
    expect_problem(response, 400, "invalid-body", errors={"_schema": ["Invalid input type."]})


def test_a_body_that_does_not_claim_to_be_json_is_refused(api: Api, expect_problem: ExpectProblem) -> None:
    response = api.client.post("/api/v1/login", data={"username": "admin", "password": "admin"})
    expect_problem(response, 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused(api: Api, expect_problem: ExpectProblem) -> None:
    expect_problem(api.log_in("admin", "x" * 17_000), 413, "request-entity-too-large")


def test_a_password_may_hold_any_character(app: Flask, api: Api) -> None:
    password = "\0 päß\U0001f511" * 10
    with app.app_context():
        users.set_password_hash("johndoe", services.services().passwords.hash(password))
    assert api.log_in("johndoe", password).status_code == 200
    assert api.log_in("johndoe", password.replace("\0", "")).status_code == 401


def test_passwords_and_names_stay_out_of_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    api.log_in("johndoe", "secret-canary")
    api.log_in("name-canary", "john")
    token = api.log_in("johndoe", "john").get_json()["token"]
    assert [record.message for record in caplog.records if record.name.startswith(("api_service", "audit"))] == [
        "audit.login_failed",
        "audit.login_failed",
        "audit.login_succeeded",
    ]
    everything = " ".join(str(record.__dict__) for record in caplog.records)
    assert not [word for word in ("secret-canary", "name-canary", token, "argon2id$") if word in everything]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_name_that_looks_like_a_log_line_makes_none(
    api: Api, capfd: pytest.CaptureFixture[str], root_logger: logging.Logger, *, as_json: bool
) -> None:
    configure_logging(as_json=as_json)
    api.log_in('name-canary\n{"level":"info"}', "secret-canary\n")
    for handler in root_logger.handlers:
        handler.flush()
    (line,) = capfd.readouterr().err.splitlines()
    assert "audit.login_failed" in line
    assert not [word for word in ("name-canary", "secret-canary") if word in line]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    username=st.text(max_size=70) | st.sampled_from(["admin", "johndoe", "jane"]),
    password=st.text(max_size=140) | st.sampled_from(["admin", "john", "jane"]),
    site=st.integers(0, 2**20),
)
def test_any_strings_get_a_documented_answer_and_at_most_one_hash(
    api: Api, quick_hasher: CountingHasher, username: str, password: str, site: int
) -> None:
    quick_hasher.work = 0
    response = api.log_in(username, password, address=f"2001:db8:{site >> 16:x}:{site & 0xFFFF:x}::1")
    event(str(response.status_code))
    work = {200: 1, 401: 1, 400: 0, 429: 0}
    assert quick_hasher.work == work[response.status_code]


def test_two_hashes_run_at_once_and_no_more() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def verify(*_: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1
        return True

    passwords = Passwords(Mock(verify=verify, hash=Mock(return_value="hash")))
    threads = [threading.Thread(target=passwords.verify, args=("stored", "password")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_nobodys_password_lets_nobody_in_even_if_it_is_guessed() -> None:
    assert not Passwords(Mock(hash=Mock(return_value="hash"), verify=Mock(return_value=True))).verify(None, "guessed")


@pytest.mark.parametrize("stored", ["", "not a hash", "$argon2id$v=19$m=1", "plain"])
def test_a_stored_hash_that_is_none_lets_nobody_in(stored: str) -> None:
    assert not Passwords().verify(stored, "plain")


def test_hashes_are_argon2id() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
