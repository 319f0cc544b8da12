"""Rotation of refresh tokens, and what a second use means."""

import threading
import time
from collections import Counter

import jwt
import pytest
from flask import Flask

from api_service import sessions, users
from api_service.models import RevokedToken
from api_service.tests.helpers import Api, ExpectProblem, HoldLock

HISTORY = "/api/v1/users/history"
REFRESH = "/api/v1/refresh"
KEY = "for-development-only-never-in-production"


def test_a_refresh_answers_as_a_log_in_does_with_new_tokens_of_the_same_log_in(api: Api) -> None:
    before = api.log_in("johndoe", "john").get_json()
    response = api.post(REFRESH, token=before["refresh_token"])
    after = response.get_json()
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert list(after) == list(before)
    assert after["refresh_expires_in"] == 7 * 24 * 3600
    old, new = ([_claims(pair[name]) for name in ("token", "refresh_token")] for pair in (before, after))
    assert {claims["fam"] for claims in old + new} == {old[0]["fam"]}
    assert len({claims["jti"] for claims in old + new}) == 4
    assert new[1]["exp"] - new[1]["iat"] == 7 * 24 * 3600
    for pair in (before, after):
        assert api.get(HISTORY, token=pair["token"]).status_code == 200


def test_two_log_ins_are_two_families(api: Api) -> None:
    assert _claims(api.token_of("johndoe"))["fam"] != _claims(api.token_of("johndoe"))["fam"]


def test_a_session_goes_on_from_refresh_to_refresh(api: Api) -> None:
    pair = api.log_in("johndoe", "john").get_json()
    for _ in range(5):
        pair = api.post(REFRESH, token=pair["refresh_token"]).get_json()
    assert api.get(HISTORY, token=pair["token"]).status_code == 200


def test_a_second_use_ends_the_whole_family_and_no_other(
    api: Api, expect_problem: ExpectProblem, caplog: pytest.LogCaptureFixture
) -> None:
    stolen, elsewhere = api.pair_of("johndoe"), api.pair_of("johndoe")
    newest = api.post(REFRESH, token=stolen.refresh_token).get_json()
    caplog.set_level("INFO")
    caplog.clear()
    expect_problem(api.post(REFRESH, token=stolen.refresh_token), 401, "token-invalid")
    assert [record.message for record in caplog.records] == ["audit.refresh_reused", "auth.token_rejected"]
    assert caplog.records[0].user_id == 2
    for token in (stolen.token, newest["token"]):
        expect_problem(api.get(HISTORY, token=token), 401, "token-invalid")
    expect_problem(api.post(REFRESH, token=newest["refresh_token"]), 401, "token-invalid")
    assert api.get(HISTORY, token=elsewhere.token).status_code == 200
    assert api.post(REFRESH, token=elsewhere.refresh_token).status_code == 200


def test_of_many_uses_at_the_same_time_exactly_one_wins_and_the_family_ends(app: Flask, api: Api) -> None:
    for _ in range(5):
        token, start, answers = api.pair_of("johndoe").refresh_token, threading.Barrier(4, timeout=5), []

        def use(token: str = token, start: threading.Barrier = start, answers: list[object] = answers) -> None:
            client = app.test_client()
            start.wait()
            answers.append(client.post(REFRESH, headers={"Authorization": f"Bearer {token}"}))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 3}
        (winner,) = (answer.get_json() for answer in answers if answer.status_code == 200)
        assert api.get(HISTORY, token=winner["token"]).status_code == 401


def test_a_use_that_is_not_saved_is_none(api: Api, locked_database: HoldLock, expect_problem: ExpectProblem) -> None:
    pair = api.pair_of("johndoe")
    with locked_database():
        expect_problem(api.post(REFRESH, token=pair.refresh_token), 503, "database-unavailable")
    assert api.rows(RevokedToken) == 0
    assert api.post(REFRESH, token=pair.refresh_token).status_code == 200


def test_tokens_of_a_refresh_do_not_outlive_a_change_that_came_in_between(
    app: Flask, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password changes after the refresh token was checked, and before the new pair is made."""
    rotate = sessions.rotate

    def rotate_late(token: sessions.SessionToken) -> bool:
        users.set_password_hash("johndoe", "other")
        return rotate(token)

    pair = api.pair_of("johndoe")
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "rotate", rotate_late)
        newest = api.post(REFRESH, token=pair.refresh_token).get_json()
    assert api.get(HISTORY, token=newest["token"]).status_code == 401
    assert api.post(REFRESH, token=newest["refresh_token"]).status_code == 401


def test_an_expired_refresh_token_is_refused_after_the_leeway(api: Api, expect_problem: ExpectProblem) -> None:
    claims = _claims(api.pair_of("johndoe").refresh_token)
    expired = jwt.encode(claims | {"exp": time.time() - 11}, KEY)
    expect_problem(api.post(REFRESH, token=expired), 401, "token-expired")
    just = jwt.encode(claims | {"exp": time.time() - 5}, KEY)
    assert api.post(REFRESH, token=just).status_code == 200


def test_a_refresh_is_logged_without_its_tokens(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    pair = api.pair_of("johndoe")
    newest = api.post(REFRESH, token=pair.refresh_token).get_json()
    (record,) = caplog.records
    assert (record.message, record.user_id) == ("audit.token_refreshed", 2)
    everything = str(record.__dict__) + repr(pair)
    for token in (pair.token, pair.refresh_token, newest["token"], newest["refresh_token"]):
        assert token not in everything


def _claims(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})
