"""Sessions of browsers: log-in, refresh and log-out of a page that has its refresh token as a cookie."""

import json
import threading
import time
from collections import Counter
from typing import Any

import jwt
import pytest
from flask import Flask

from api_service import audit, users
from api_service.models import RevokedToken
from api_service.tests.browsers import COOKIE, CSRF, JOHN, REFRESH, SESSION, Browser, claims_of, cookies_of
from api_service.tests.helpers import Api, CountingHasher, ExpectProblem, HoldLock, MakeApi

ME = "/api/v1/users/me"
KEY = "for-development-only-never-in-production"


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


class TestLogIn:
    def test_it_is_checked_recorded_and_refused_as_a_log_in(
        self, app: Flask, browser: Browser, hasher: CountingHasher, expect_problem: ExpectProblem
    ) -> None:
        for body in (JOHN | {"password": "wrong"}, {"username": "nobody", "password": "john"}):
            answer = browser.log_in(body)
            expect_problem(answer, 401, "login-failed")
            assert "Set-Cookie" not in answer.headers
        assert browser.log_in().status_code == 200
        assert hasher.work == 3
        with app.app_context():
            events = [(row["event"], json.loads(row["detail"])) for row in audit.entries(3)]
        assert events == [
            ("login_succeeded", {}),
            ("login_failed", {"reason": "unknown-user"}),
            ("login_failed", {"reason": "wrong-password"}),
        ]

    def test_it_shares_the_throttle_with_the_other_log_in(
        self, browser: Browser, quick_hasher: CountingHasher, expect_problem: ExpectProblem
    ) -> None:
        wrong = JOHN | {"password": "wrong"}
        for attempt in range(5):
            assert (browser.log_in(wrong) if attempt % 2 else browser.api.log_in(**wrong)).status_code == 401
        expect_problem(browser.log_in(), 429, "too-many-logins")
        expect_problem(browser.api.log_in(**JOHN), 429, "too-many-logins")

    def test_it_shares_the_limit_of_failures_with_the_other_log_in(
        self, make_api: MakeApi, expect_problem: ExpectProblem
    ) -> None:
        browser = Browser(make_api(RATE_LIMIT_LOGIN="2/minute"))
        wrong = JOHN | {"password": "wrong"}
        assert (browser.log_in(wrong).status_code, browser.api.log_in(**wrong).status_code) == (401, 401)
        expect_problem(browser.log_in(), 429, "rate-limited")
        expect_problem(browser.api.log_in(**JOHN), 429, "rate-limited")

    def test_a_form_of_another_page_logs_nobody_in(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = browser.api.client.post(SESSION, data=json.dumps(JOHN), content_type=kind)
            expect_problem(answer, 415, "unsupported-media-type")

    def test_a_new_log_in_takes_the_place_of_the_former(self, browser: Browser) -> None:
        browser.log_in()
        browser.log_in({"username": "jane", "password": "jane"})
        token = browser.refresh().get_json()["token"]
        assert browser.api.get(ME, token=token).get_json()["username"] == "jane"


class TestRefresh:
    def test_it_goes_on_from_one_to_the_next_in_one_log_in(self, browser: Browser) -> None:
        answers, tokens = [browser.log_in()], [browser.refresh_token]
        for _ in range(3):
            answers.append(browser.refresh())
            tokens.append(browser.refresh_token)
        assert {answer.status_code for answer in answers} == {200}
        assert {tuple(answer.get_json()) for answer in answers} == {("token", "token_type", "expires_in")}
        assert len({claims_of(token)["jti"] for token in tokens}) == 4
        everything = [*tokens, *(answer.get_json()["token"] for answer in answers)]
        assert len({claims_of(token)["fam"] for token in everything}) == 1

    def test_a_second_use_ends_the_log_in(self, app: Flask, browser: Browser, expect_problem: ExpectProblem) -> None:
        browser.log_in()
        old, csrf = str(browser.refresh_token), browser.csrf
        newest = browser.refresh().get_json()["token"]
        browser.put(old)
        expect_problem(browser.refresh(**{"X-CSRF-Token": csrf}), 401, "token-invalid")
        expect_problem(browser.api.get(ME, token=newest), 401, "token-invalid")
        with app.app_context():
            (entry,) = audit.entries(1)
        assert entry["event"] == "refresh_reused"

    def test_of_two_at_the_same_time_one_wins_and_the_log_in_ends(self, app: Flask, browser: Browser) -> None:
        """What a page has to avoid with a lock for all its tabs."""
        browser.log_in()
        token, csrf, start, answers = str(browser.refresh_token), browser.csrf, threading.Barrier(2, timeout=5), []

        def refresh() -> None:
            client = app.test_client()
            client.set_cookie(COOKIE, token, path=SESSION)
            start.wait()
            answers.append(client.post(REFRESH, headers={"X-CSRF-Token": csrf}))

        threads = [threading.Thread(target=refresh) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 1}
        (winner,) = (answer.get_json()["token"] for answer in answers if answer.status_code == 200)
        assert browser.api.get(ME, token=winner).status_code == 401

    @pytest.mark.parametrize("cookie", [None, "", "x", "a.b.c", "...", "ä.ö.ü"])
    def test_what_is_no_token_is_refused(
        self, browser: Browser, expect_problem: ExpectProblem, cookie: str | None
    ) -> None:
        if cookie is not None:
            browser.put(cookie)
        slug = "token-invalid" if cookie else "token-missing"
        body = expect_problem(browser.refresh(**{"X-CSRF-Token": "x"}), 401, slug)
        assert ("POST /api/v1/session" in body["detail"]) == (not cookie)

    @pytest.mark.parametrize(
        ("change", "slug"),
        [
            ({"exp": -11}, "token-expired"),
            ({"iat": +60}, "token-not-yet-valid"),
            ({"type": "access"}, "token-invalid"),
            ({"csrf": None}, "token-invalid"),
            ({"csrf": 7}, "token-invalid"),
            ({"tv": 1}, "token-invalid"),
            ({"fam": None}, "token-invalid"),
        ],
        ids=str,
    )
    def test_a_token_with_a_wrong_claim_is_refused(
        self, browser: Browser, expect_problem: ExpectProblem, change: dict[str, Any], slug: str
    ) -> None:
        """Of `exp` and `iat` the seconds from now."""
        browser.log_in()
        now = time.time()
        changed = {name: now + value if name in {"exp", "iat"} else value for name, value in change.items()}
        browser.put(jwt.encode(claims_of(browser.refresh_token) | changed, KEY))
        expect_problem(browser.refresh(), 401, slug)

    def test_a_token_in_the_header_does_not_count(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        pair = browser.api.pair_of("johndoe")
        for token in (pair.token, pair.refresh_token):
            expect_problem(browser.refresh(Authorization=f"Bearer {token}"), 401, "token-missing")

    def test_a_user_who_was_deactivated_is_out(
        self, app: Flask, browser: Browser, expect_problem: ExpectProblem
    ) -> None:
        browser.log_in()
        with app.app_context():
            users.deactivate_user("johndoe")
        expect_problem(browser.refresh(), 401, "token-invalid")

    def test_a_user_is_counted(self, make_api: MakeApi, expect_problem: ExpectProblem) -> None:
        browser = Browser(make_api(RATE_LIMIT_READS="1/minute"))
        browser.log_in()
        assert browser.refresh().status_code == 200
        expect_problem(browser.refresh(), 429, "rate-limited")

    def test_what_is_not_saved_is_none(
        self, browser: Browser, locked_database: HoldLock, expect_problem: ExpectProblem
    ) -> None:
        browser.log_in()
        with locked_database():
            for answer in (browser.refresh(), browser.log_out()):
                expect_problem(answer, 503, "database-unavailable")
                assert "Set-Cookie" not in answer.headers
        assert browser.refresh().status_code == 200


class TestLogOut:
    def test_it_ends_all_tokens_of_the_log_in_at_once(
        self, app: Flask, browser: Browser, expect_problem: ExpectProblem
    ) -> None:
        first, other = browser.log_in().get_json()["token"], browser.api.token_of("johndoe")
        second, cookie, csrf = browser.refresh().get_json()["token"], str(browser.refresh_token), browser.csrf
        answer = browser.log_out()
        assert (answer.status_code, answer.data, answer.content_type) == (204, b"", None)
        for token in (first, second):
            expect_problem(browser.api.get(ME, token=token), 401, "token-invalid")
        browser.put(cookie)
        expect_problem(browser.refresh(**{"X-CSRF-Token": csrf}), 401, "token-invalid")
        assert browser.api.get(ME, token=other).status_code == 200
        with app.app_context():
            (entry,) = audit.entries(1)
        assert (entry["event"], entry["username"]) == ("logged_out", "johndoe")

    def test_the_cookies_are_gone(self, browser: Browser) -> None:
        browser.log_in()
        cookies = cookies_of(browser.log_out())
        assert {name: cookie["path"] for name, cookie in cookies.items()} == {COOKIE: SESSION, CSRF: "/"}
        assert {(cookie.value, cookie["max-age"]) for cookie in cookies.values()} == {("", "0")}
        assert (browser.refresh_token, browser.csrf) == (None, "")

    @pytest.mark.parametrize("state", ["none", "out", "garbage", "expired", "deactivated", "of a header"])
    def test_a_session_that_has_ended_is_forgotten_too(self, app: Flask, browser: Browser, state: str) -> None:
        browser.log_in()
        claims = claims_of(browser.refresh_token)
        if state == "deactivated":
            with app.app_context():
                users.deactivate_user("johndoe")
        elif state == "out":
            cookie = str(browser.refresh_token)
            browser.log_out()
            browser.put(cookie)
        elif state == "none":
            browser.api.client.delete_cookie(COOKIE, path=SESSION)
        else:
            header = browser.api.pair_of("johndoe").refresh_token
            expired = jwt.encode(claims | {"exp": time.time() - 11}, KEY)
            browser.put({"garbage": "a.b.c", "expired": expired, "of a header": header}[state])
        before = browser.api.rows(RevokedToken)
        answer = browser.api.client.delete(SESSION)
        assert (answer.status_code, cookies_of(answer).keys()) == (204, {COOKIE, CSRF})
        assert browser.api.rows(RevokedToken) == before

    def test_a_token_that_was_used_already_still_ends_its_log_in(self, browser: Browser) -> None:
        """As when the answer to a refresh was lost."""
        browser.log_in()
        old, csrf = str(browser.refresh_token), browser.csrf
        newest = browser.refresh().get_json()["token"]
        browser.put(old)
        assert browser.log_out(**{"X-CSRF-Token": csrf}).status_code == 204
        assert browser.api.get(ME, token=newest).status_code == 401


def test_nothing_of_it_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secrets = {browser.log_in().get_json()["token"], str(browser.refresh_token), browser.csrf}
    secrets |= {browser.refresh().get_json()["token"], str(browser.refresh_token), browser.csrf}
    browser.log_out(**{"X-CSRF-Token": "wrong"})
    browser.log_out()
    messages = [record.message for record in caplog.records]
    assert messages == ["audit.login_succeeded", "audit.token_refreshed", "auth.token_rejected", "audit.logged_out"]
    everything = str([record.__dict__ for record in caplog.records])
    assert [secret for secret in secrets if secret in everything] == []
