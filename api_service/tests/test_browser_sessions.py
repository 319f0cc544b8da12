"""Sessions of browsers: what the cookies are, what they are good for, and who may use them."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any

import jwt
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api_service import audit, users
from api_service.models import RevokedToken
from api_service.tests.helpers import Api, CountingHasher, ExpectProblem, HoldLock, MakeApi

SESSION = "/api/v1/session"
REFRESH = "/api/v1/session/refresh"
ME = "/api/v1/users/me"
KEY = "for-development-only-never-in-production"
COOKIE, CSRF = "stock_quotes_refresh", "stock_quotes_csrf"
WEEK = 7 * 24 * 3600
JOHN = {"username": "johndoe", "password": "john"}
FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:5000"},
    {"Origin": "ftp://localhost"},
    {"Origin": ""},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
OURS: list[dict[str, str]] = [
    {},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
]


@dataclass
class Browser:
    """Keeps cookies, as the test's client does, and sends the CSRF value as the page's script does."""

    api: Api

    def log_in(self, body: Any = JOHN, **headers: str) -> TestResponse:
        return self.api.client.post(SESSION, json=body, headers=headers)

    def refresh(self, **headers: str) -> TestResponse:
        return self.api.client.post(REFRESH, headers={"X-CSRF-Token": self.csrf} | headers)

    def log_out(self, **headers: str) -> TestResponse:
        return self.api.client.delete(SESSION, headers={"X-CSRF-Token": self.csrf} | headers)

    @property
    def csrf(self) -> str:
        cookie = self.api.client.get_cookie(CSRF)
        return cookie.value if cookie else ""

    @property
    def refresh_token(self) -> str | None:
        cookie = self.api.client.get_cookie(COOKIE, path=SESSION)
        return cookie.value if cookie else None

    def put(self, refresh_token: str) -> None:
        self.api.client.set_cookie(COOKIE, refresh_token, path=SESSION)


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def cookies_of(response: TestResponse) -> dict[str, Morsel[str]]:
    return {
        name: morsel
        for header in response.headers.getlist("Set-Cookie")
        for name, morsel in SimpleCookie(header).items()
    }


def claims_of(token: str | None) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


class TestCookies:
    def test_a_log_in_answers_with_an_access_token_and_two_cookies(self, browser: Browser) -> None:
        answer = browser.log_in()
        assert answer.status_code == 200
        assert list(answer.get_json()) == ["token", "token_type", "expires_in"]
        assert (answer.get_json()["token_type"], answer.get_json()["expires_in"]) == ("Bearer", 3600)
        assert cookies_of(answer).keys() == {COOKIE, CSRF}
        assert browser.refresh_token not in answer.text
        assert browser.api.get(ME, token=answer.get_json()["token"]).get_json()["username"] == "johndoe"

    def test_no_script_reads_the_refresh_token_and_no_other_call_gets_it(self, browser: Browser) -> None:
        for answer in (browser.log_in(), browser.refresh()):
            cookie = cookies_of(answer)[COOKIE]
            assert cookie["httponly"] is True
            assert (cookie["path"], cookie["samesite"], cookie["domain"]) == (SESSION, "Strict", "")
            assert int(cookie["max-age"]) == WEEK
            assert claims_of(cookie.value)["exp"] - claims_of(cookie.value)["iat"] == WEEK

    def test_every_page_of_ours_reads_the_csrf_value(self, browser: Browser) -> None:
        for answer in (browser.log_in(), browser.refresh()):
            cookie = cookies_of(answer)[CSRF]
            assert cookie["httponly"] == ""
            assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "Strict", "")
            assert int(cookie["max-age"]) == WEEK
            assert len(cookie.value) >= 43

    def test_over_https_they_are_secure_and_over_http_they_are_kept_too(self, make_api: MakeApi) -> None:
        forwarded = {"X-Forwarded-Proto": "https"}
        for proxies, secure in (("1", True), ("0", "")):
            browser = Browser(make_api(TRUSTED_PROXIES=proxies))
            answers = [browser.log_in(**forwarded), browser.refresh(**forwarded), browser.log_out(**forwarded)]
            for answer in answers:
                assert [cookie["secure"] for cookie in cookies_of(answer).values()] == [secure, secure]

    def test_nobody_keeps_the_answers(self, browser: Browser) -> None:
        for answer in (browser.log_in(), browser.refresh(), browser.log_out()):
            assert answer.headers["Cache-Control"] == "no-store"

    def test_they_let_nobody_into_another_call(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        token = browser.log_in().get_json()["token"]
        client, csrf = browser.api.client, {"X-CSRF-Token": browser.csrf}
        for name in (COOKIE, "access_token_cookie", "refresh_token_cookie"):
            client.set_cookie(name, token if name.startswith("access") else str(browser.refresh_token), path="/")
        for path in ("/api/v1/stock?q=aapl.us", ME, "/api/v1/users/history"):
            expect_problem(client.get(path, headers=csrf), 401, "token-missing")
        for path in ("/api/v1/refresh", "/api/v1/logout"):
            expect_problem(client.post(path, headers=csrf), 401, "token-missing")

    def test_header_tokens_have_no_csrf_claim_and_are_no_cookie(
        self, browser: Browser, expect_problem: ExpectProblem
    ) -> None:
        pair = browser.api.log_in("johndoe", "john").get_json()
        assert not [name for name in ("token", "refresh_token") if "csrf" in claims_of(pair[name])]
        browser.put(pair["refresh_token"])
        expect_problem(browser.refresh(**{"X-CSRF-Token": "x"}), 401, "token-invalid")
        assert browser.api.post("/api/v1/refresh", token=pair["refresh_token"]).status_code == 200

    def test_its_token_in_a_header_is_that_of_the_same_log_in(self, browser: Browser) -> None:
        browser.log_in()
        pair = browser.api.post("/api/v1/refresh", token=browser.refresh_token).get_json()
        assert claims_of(pair["refresh_token"])["fam"] == claims_of(browser.refresh_token)["fam"]
        assert browser.refresh().status_code == 401
        assert browser.api.get(ME, token=pair["token"]).status_code == 401


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


class TestOwnPages:
    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_pages_of_others_are_refused_before_anything_is_done(
        self, browser: Browser, hasher: CountingHasher, expect_problem: ExpectProblem, headers: dict[str, str]
    ) -> None:
        token = browser.log_in().get_json()["token"]
        hasher.work = 0
        for answer in (browser.log_in(**headers), browser.refresh(**headers), browser.log_out(**headers)):
            expect_problem(answer, 403, "cross-origin")
            assert "Set-Cookie" not in answer.headers
        assert hasher.work == 0
        assert browser.api.get(ME, token=token).status_code == 200
        assert browser.refresh().status_code == 200

    @pytest.mark.parametrize("headers", OURS, ids=str)
    def test_our_own_are_not(self, browser: Browser, headers: dict[str, str]) -> None:
        answers = (browser.log_in(**headers), browser.refresh(**headers), browser.log_out(**headers))
        assert [answer.status_code for answer in answers] == [200, 200, 204]

    def test_over_https_a_page_of_http_is_another(self, make_api: MakeApi, expect_problem: ExpectProblem) -> None:
        browser = Browser(make_api(TRUSTED_PROXIES="1"))
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com:8443"}
        assert browser.log_in(**forwarded, Origin="https://api.example.com:8443").status_code == 200
        for other in ("http://api.example.com:8443", "https://api.example.com", "http://localhost"):
            expect_problem(browser.log_in(**forwarded, Origin=other), 403, "cross-origin")

    def test_a_page_that_may_read_answers_is_another_all_the_same(
        self, make_api: MakeApi, expect_problem: ExpectProblem
    ) -> None:
        page = "https://console.example.com"
        browser = Browser(make_api(CORS_ORIGINS=page))
        answer = browser.log_in(Origin=page)
        expect_problem(answer, 403, "cross-origin")
        assert "Access-Control-Allow-Credentials" not in answer.headers
        preflight = browser.api.client.options(
            REFRESH, headers={"Origin": page, "Access-Control-Request-Method": "POST"}
        )
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        assert "x-csrf-token" not in preflight.headers["Access-Control-Allow-Headers"].lower()


class TestCsrf:
    def test_without_the_value_nothing_is_done(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        token = browser.log_in().get_json()["token"]
        for answer in (browser.api.client.post(REFRESH), browser.api.client.delete(SESSION)):
            expect_problem(answer, 401, "csrf-missing")
            assert "Set-Cookie" not in answer.headers
        assert browser.api.get(ME, token=token).status_code == 200
        assert browser.refresh().status_code == 200

    @pytest.mark.parametrize("value", ["x", "ä", "\x80", "x" * 500])
    def test_with_another_value_nothing_is_done(
        self, browser: Browser, expect_problem: ExpectProblem, value: str
    ) -> None:
        token = browser.log_in().get_json()["token"]
        for sent in (value, f"{browser.csrf}{value}"):
            for answer in (browser.refresh(**{"X-CSRF-Token": sent}), browser.log_out(**{"X-CSRF-Token": sent})):
                expect_problem(answer, 401, "csrf-mismatch")
                assert "Set-Cookie" not in answer.headers
        assert browser.api.get(ME, token=token).status_code == 200
        assert browser.refresh().status_code == 200

    def test_a_value_of_an_earlier_token_is_another(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        browser.log_in()
        earlier = browser.csrf
        browser.refresh()
        assert browser.csrf != earlier
        expect_problem(browser.refresh(**{"X-CSRF-Token": earlier}), 401, "csrf-mismatch")
        assert browser.refresh().status_code == 200

    def test_a_cookie_of_ones_own_is_no_value(self, browser: Browser, expect_problem: ExpectProblem) -> None:
        """As a neighbour under the same domain could set it."""
        browser.log_in()
        browser.api.client.set_cookie(CSRF, "chosen")
        expect_problem(browser.refresh(), 401, "csrf-mismatch")


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
        expect_problem(browser.refresh(**{"X-CSRF-Token": "x"}), 401, slug)

    @pytest.mark.parametrize(
        ("change", "slug"),
        [
            ({"exp": time.time() - 11}, "token-expired"),
            ({"iat": time.time() + 60}, "token-not-yet-valid"),
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
        browser.log_in()
        browser.put(jwt.encode(claims_of(browser.refresh_token) | change, KEY))
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
