"""The cookies of a browser's session: what they are, what they are good for, and which pages may use them."""

import pytest

from api_service.tests.browsers import COOKIE, CSRF, REFRESH, SESSION, Browser, claims_of, cookies_of
from api_service.tests.helpers import Api, CountingHasher, ExpectProblem, MakeApi

ME = "/api/v1/users/me"
WEEK = 7 * 24 * 3600
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


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


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
