"""A new password of one's own."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api_service import users
from api_service.auth.passwords import Passwords
from api_service.auth.throttle import FREE_FAILURES
from api_service.tests.helpers import Api, ExpectProblem, HandSetClock, HoldLock

HISTORY = "/api/v1/users/history"
REFRESH = "/api/v1/refresh"
PASSWORD = "/api/v1/users/me/password"
GOOD = "seven purple tractors hum"


def change(api: Api, token: str, current: Any, new: Any) -> TestResponse:
    return api.post(PASSWORD, token=token, json={"current_password": current, "new_password": new})


def test_the_new_password_counts_and_all_other_sessions_end(api: Api, expect_problem: ExpectProblem) -> None:
    here, there, janes = api.pair_of("johndoe"), api.pair_of("johndoe"), api.pair_of("jane")
    response = change(api, here.token, "john", GOOD)
    pair = response.get_json()
    assert (response.status_code, list(pair)) == (200, list(api.log_in("jane", "jane").get_json()))
    for old in (here, there):
        expect_problem(api.get(HISTORY, token=old.token), 401, "token-invalid")
        expect_problem(api.post(REFRESH, token=old.refresh_token), 401, "token-invalid")
    assert api.get(HISTORY, token=pair["token"]).status_code == 200
    assert api.post(REFRESH, token=pair["refresh_token"]).status_code == 200
    assert api.get(HISTORY, token=janes.token).status_code == 200
    assert api.log_in("johndoe", "john").status_code == 401
    assert api.log_in("johndoe", GOOD).status_code == 200


def test_a_wrong_current_password_is_no_reason_to_log_in_again(
    api: Api, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    token = api.token_of("johndoe")
    caplog.set_level("INFO")
    response = change(api, token, "not john", GOOD)
    expect_problem(response, 403, "wrong-password")
    assert "WWW-Authenticate" not in response.headers
    assert [(record.message, record.user_id) for record in caplog.records] == [("audit.password_not_confirmed", 2)]
    assert api.get(HISTORY, token=token).status_code == 200
    assert api.log_in("johndoe", "john").status_code == 200


@pytest.mark.parametrize("new", ["elevenchars", "x" * 129, "password1234", "johndoe12345", ""])
def test_a_password_against_the_rules_changes_nothing_and_is_not_shown(
    api: Api, expect_problem: ExpectProblem, new: str
) -> None:
    token = api.token_of("johndoe")
    body = expect_problem(change(api, token, "john", new), 400, "password-refused")
    assert not new or new not in str(body)
    assert api.get(HISTORY, token=token).status_code == 200
    assert api.log_in("johndoe", "john").status_code == 200


def test_the_new_password_is_another_one(api: Api, expect_problem: ExpectProblem) -> None:
    token = change(api, api.token_of("johndoe"), "john", GOOD).get_json()["token"]
    problem = expect_problem(change(api, token, GOOD, GOOD), 400, "password-refused")
    assert "the password that you have" in problem["detail"]


def test_the_rules_are_told_only_to_who_knows_the_password(api: Api, expect_problem: ExpectProblem) -> None:
    expect_problem(change(api, api.token_of("johndoe"), "not john", "weak"), 403, "wrong-password")


@pytest.mark.parametrize("new", [f"\0 {GOOD}\t ", "zwölf ñandú über 🔑 Fjörde", "x9!kQ2v7LmN4" * 10 + "p8sT1wY6"])
def test_a_password_is_taken_as_it_is(api: Api, new: str) -> None:
    assert change(api, api.token_of("johndoe"), "john", new).status_code == 200
    assert api.log_in("johndoe", new).status_code == 200
    for other in (new.strip(), new[:-1], new[:72], new.replace("\0", ""), new.lower()):
        assert other == new or api.log_in("johndoe", other).status_code in {400, 401}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"current_password", "new_password"}),
        ({"current_password": "john"}, {"new_password"}),
        ({"current_password": "x" * 129, "new_password": GOOD}, {"current_password"}),
        ({"current_password": "john", "new_password": 7}, {"new_password"}),
        ({"current_password": "john", "new_password": "\ud800" * 20}, {"new_password"}),
        ({"current_password": "john", "new_password": GOOD, "username": "admin"}, {"username"}),
    ],
)
def test_a_body_of_another_form_is_refused(
    api: Api, expect_problem: ExpectProblem, body: Any, fields: set[str]
) -> None:
    response = api.post(PASSWORD, token=api.token_of("johndoe"), json=body)
    errors = response.get_json()["errors"]
    expect_problem(response, 400, "invalid-body", errors=errors)
    assert errors.keys() == fields


def test_a_change_that_was_overtaken_by_another_changes_nothing(
    app: Flask, api: Api, expect_problem: ExpectProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator sets a password while the user's own, already confirmed, is being hashed."""
    hash_password = Passwords.hash

    def hash_late(self: Passwords, password: str) -> str:
        users.set_password_hash("johndoe", hash_password(self, "set by the operator"))
        return hash_password(self, password)

    token = api.token_of("johndoe")
    with monkeypatch.context() as patch:
        patch.setattr(Passwords, "hash", hash_late)
        expect_problem(change(api, token, "john", GOOD), 401, "token-invalid")
    assert api.log_in("johndoe", GOOD).status_code == 401
    assert api.log_in("johndoe", "set by the operator").status_code == 200


def test_a_change_that_is_not_saved_is_not_answered_as_one(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    token = api.token_of("johndoe")
    with locked_database():
        expect_problem(change(api, token, "john", GOOD), 503, "database-unavailable")
    assert api.get(HISTORY, token=token).status_code == 200
    assert api.log_in("johndoe", "john").status_code == 200


def test_a_change_is_logged_without_the_passwords(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    change(api, api.token_of("johndoe"), "john", GOOD)
    assert [record.message for record in caplog.records] == ["audit.password_changed"]
    assert GOOD not in str([record.__dict__ for record in caplog.records])


def test_guesses_of_the_current_password_wait_as_those_at_the_log_in(
    api: Api, expect_problem: ExpectProblem, hand_set_clock: HandSetClock
) -> None:
    token = api.token_of("johndoe")
    for guess in range(FREE_FAILURES):
        expect_problem(change(api, token, f"wrong {guess}", GOOD), 403, "wrong-password")
    expect_problem(change(api, token, "john", GOOD), 429, "too-many-logins")
    expect_problem(api.log_in("johndoe", "john"), 429, "too-many-logins")
