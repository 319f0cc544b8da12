"""The edge: headers of every answer, web pages from elsewhere, proxies in front, and the sizes of what comes in."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from api_service.tests.helpers import Api, ExpectProblem, MakeApi, ScriptedStockClient

PAGE = "https://console.example.com"
ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FORGED: Final = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


def some_of_every_status(api: Api) -> Iterator[tuple[int, TestResponse]]:
    yield 200, api.get("/healthz")
    yield 200, api.get("/api/v1/users/history", by="johndoe")
    yield 400, api.get("/api/v1/stock", by="johndoe")
    yield 401, api.get("/api/v1/stats")
    yield 403, api.get("/api/v1/stats", by="johndoe")
    yield 404, api.get("/nothing")
    yield 405, api.client.delete("/api/v1/stats")
    yield 413, api.log_in("admin", "x" * 17_000)
    yield 415, api.client.post("/api/v1/login", data="x")


class TestHeaders:
    def test_every_answer_has_them(self, make_api: MakeApi) -> None:
        for status, response in some_of_every_status(make_api()):
            assert response.status_code == status
            assert {name: response.headers.get(name) for name in ALWAYS} == ALWAYS
            assert "Strict-Transport-Security" not in response.headers
            assert "Access-Control-Allow-Origin" not in response.headers

    def test_a_defect_and_a_refusal_have_them_too(
        self, make_api: MakeApi, stock_client: ScriptedStockClient, expect_problem: ExpectProblem
    ) -> None:
        api = make_api(RATE_LIMIT_QUOTES="1/minute")
        stock_client.answer = ZeroDivisionError("a defect")
        for status, slug in ((500, "internal-server-error"), (429, "rate-limited")):
            response = api.get("/api/v1/stock?q=aapl.us", by="johndoe")
            expect_problem(response, status, slug)
            assert {name: response.headers.get(name) for name in ALWAYS} == ALWAYS

    def test_an_answer_may_say_otherwise(self, make_api: MakeApi) -> None:
        response = make_api().get("/api/v1/stock?q=aapl.us", by="johndoe")
        assert response.headers["Cache-Control"].startswith("private, max-age=")
        assert len(response.headers.getlist("Cache-Control")) == 1

    def test_https_is_asked_for_over_https_only(self, make_api: MakeApi) -> None:
        response = make_api().client.get("/healthz", base_url="https://api.example.com")
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


class TestCors:
    def ask(self, api: Api, origin: str | None, method: str = "GET", path: str = "/healthz", **more: str) -> Any:
        return api.client.open(path, method=method, headers={**({"Origin": origin} if origin else {}), **more})

    def preflight(self, api: Api, origin: str, path: str = "/api/v1/stock") -> TestResponse:
        return self.ask(api, origin, "OPTIONS", path, **{"Access-Control-Request-Method": "GET"})

    def test_without_the_setting_there_is_none(self, make_api: MakeApi, expect_problem: ExpectProblem) -> None:
        response = self.ask(make_api(), PAGE)
        assert not [name for name in response.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
        assert "Vary" not in response.headers
        expect_problem(self.preflight(make_api(), PAGE), 405, "method-not-allowed")

    def test_a_listed_page_may_read_every_answer(self, make_api: MakeApi) -> None:
        api = make_api(CORS_ORIGINS=f"https://other.example.com,{PAGE}")
        for path in ("/healthz", "/nothing", "/api/v1/stats"):
            response = self.ask(api, PAGE, path=path)
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            assert {"Link", "Quote-Source", "Idempotent-Replayed", "Retry-After", "X-Request-ID", "Age"} <= set(
                response.headers["Access-Control-Expose-Headers"].split(", ")
            )
            assert "Access-Control-Allow-Credentials" not in response.headers
            assert "Origin" in response.vary

    @pytest.mark.parametrize(
        "origin", [None, "null", "*", "https://evil.example", f"{PAGE}.evil.example", f"{PAGE}:443", PAGE.upper()]
    )
    def test_others_may_not_and_caches_know(self, make_api: MakeApi, origin: str | None) -> None:
        response = self.ask(make_api(CORS_ORIGINS=PAGE), origin)
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Origin" in response.vary

    def test_what_else_an_answer_varies_with_stays(self, make_api: MakeApi) -> None:
        response = make_api(CORS_ORIGINS=PAGE).get("/api/v1/stock?q=aapl.us", by="johndoe")
        assert set(response.vary) == {"Authorization", "Origin"}

    def test_a_preflight_of_a_listed_page_is_answered(self, make_api: MakeApi) -> None:
        api = make_api(CORS_ORIGINS=PAGE)
        for path, methods in (("/api/v1/stock", "GET, HEAD"), ("/api/v1/login", "POST")):
            response = self.preflight(api, PAGE, path)
            assert (response.status_code, response.data) == (204, b"")
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            assert response.headers["Access-Control-Allow-Methods"] == methods
            assert {"Authorization", "Content-Type"} <= set(
                response.headers["Access-Control-Allow-Headers"].split(", ")
            )

    def test_a_preflight_counts_and_the_page_may_read_that_there_were_too_many(
        self, make_api: MakeApi, expect_problem: ExpectProblem
    ) -> None:
        api = make_api(CORS_ORIGINS=PAGE, RATE_LIMIT_ADDRESS="1/minute")
        assert self.preflight(api, PAGE).status_code == 204
        for refused in (self.preflight(api, PAGE), self.ask(api, PAGE, path="/api/v1/stats")):
            expect_problem(refused, 429, "rate-limited")
            assert refused.headers["Access-Control-Allow-Origin"] == PAGE
            assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]

    def test_a_preflight_of_another_page_or_for_nothing_is_not(
        self, make_api: MakeApi, expect_problem: ExpectProblem
    ) -> None:
        api = make_api(CORS_ORIGINS=PAGE)
        expect_problem(self.preflight(api, "https://evil.example"), 405, "method-not-allowed")
        expect_problem(self.preflight(api, PAGE, "/nothing"), 404, "not-found")
        expect_problem(self.ask(api, PAGE, "OPTIONS", "/api/v1/stock"), 405, "method-not-allowed")


class TestProxies:
    def test_without_the_setting_nobody_is_believed(self, make_api: MakeApi) -> None:
        api = make_api(RATE_LIMIT_ADDRESS="1/minute", TRUSTED_HOSTS="api.example.com")
        first = api.client.get("/nothing", headers=FORGED)
        assert first.status_code == 404
        assert "Strict-Transport-Security" not in first.headers
        again = api.client.get("/nothing", headers={**FORGED, "X-Forwarded-For": "192.0.2.2"})
        assert again.status_code == 429

    def test_a_declared_proxy_tells_the_address_the_scheme_and_the_host(self, make_api: MakeApi) -> None:
        api = make_api(RATE_LIMIT_ADDRESS="1/minute", TRUSTED_PROXIES="1", TRUSTED_HOSTS="api.example.com")
        real = {**FORGED, "X-Forwarded-Host": "api.example.com"}
        answer = api.client.get("/nothing", headers=real)
        assert answer.status_code == 404
        assert answer.headers["Strict-Transport-Security"]
        assert api.client.get("/nothing", headers={**real, "X-Forwarded-For": "192.0.2.2"}).status_code == 404
        assert api.client.get("/nothing", headers=FORGED).status_code == 429

    def test_only_as_many_addresses_are_believed_as_there_are_proxies(self, make_api: MakeApi) -> None:
        api = make_api(RATE_LIMIT_ADDRESS="1/minute", TRUSTED_PROXIES="1")
        statuses = [
            api.client.get("/nothing", headers={"X-Forwarded-For": f"{forged}, 192.0.2.9"}).status_code
            for forged in ("192.0.2.1", "192.0.2.2")
        ]
        assert statuses == [404, 429]


class TestHosts:
    @pytest.mark.parametrize("host", ["api.example.com", "api.example.com:8443", "a.internal", "127.0.0.1:5000"])
    def test_its_names_and_the_health_check_are_let_in(self, make_api: MakeApi, host: str) -> None:
        api = make_api(TRUSTED_HOSTS="api.example.com,.internal")
        assert api.client.get("/healthz", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example", "api.example.com.evil.example", "", "a b"])
    def test_another_name_is_refused(self, make_api: MakeApi, expect_problem: ExpectProblem, host: str) -> None:
        api = make_api(TRUSTED_HOSTS="api.example.com")
        for path in ("/healthz", "/api/v1/stats"):
            expect_problem(api.client.get(path, headers={"Host": host}), 400, "bad-request")

    def test_without_the_setting_any_name_will_do(self, make_api: MakeApi) -> None:
        assert make_api().client.get("/healthz", headers={"Host": "any.example"}).status_code == 200


class TestSizes:
    @pytest.mark.parametrize("opening", ["[", '{"username":'])
    def test_a_body_a_thousand_levels_deep_is_refused(
        self, make_api: MakeApi, expect_problem: ExpectProblem, opening: str
    ) -> None:
        deep = opening * 1_000 + '"x"' + ("]" if opening == "[" else "}") * 1_000
        api = make_api()
        response = api.client.post("/api/v1/login", data=deep, content_type="application/json")
        body = response.get_json()
        assert body["type"] in {"/problems/malformed-json", "/problems/invalid-body"}
        expect_problem(response, 400, body["type"].rpartition("/")[2], **{k: body[k] for k in body if k == "errors"})

    def test_a_form_that_is_too_large_is_not_read(self, make_api: MakeApi, expect_problem: ExpectProblem) -> None:
        response = make_api().client.post("/api/v1/login", data={"x": "y" * 17_000})
        assert response.status_code in {413, 415}

    @pytest.mark.parametrize("query", ["q=aapl.us&q=msft.us", "q=aapl.us&q=aapl.us"])
    def test_a_parameter_stands_there_once(self, make_api: MakeApi, expect_problem: ExpectProblem, query: str) -> None:
        expect_problem(make_api().get(f"/api/v1/stock?{query}", by="johndoe"), 400, "invalid-symbol")
