"""Who calls too often is told to wait; nobody else is."""

import threading

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api_service import rate_limits
from api_service.rate_counters import MemoryCounters
from api_service.rate_limits import RateLimits
from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, MakeApi, ScriptedStockClient
from service_kit.problems import Problem


@pytest.fixture
def limited(make_api: MakeApi) -> MakeApi:
    """The API with these settings, at a moment that stands still."""

    def make(**environ: str) -> Api:
        api = make_api(**environ)
        api.app.extensions[rate_limits._EXTENSION]._clock = lambda: 1_000_000_045.5
        return api

    return make


def test_quotes_are_limited_for_each_user(limited: MakeApi, expect_problem: ExpectProblem) -> None:
    api = limited(RATE_LIMIT_QUOTES="3/minute")
    paths = ["/api/v1/stock?q=aapl.us", "/api/v1/quotes?symbols=aapl.us", "/api/v1/quotes/aapl.us"]
    assert [api.get(path, by="johndoe").status_code for path in paths] == [200, 200, 200]
    refused = api.get(paths[0], by="johndoe")
    expect_problem(refused, 429, "rate-limited")
    assert refused.headers["Retry-After"] == "35"  # 1,000,000,045.5 is 25.5 s after a whole minute: 34.5 are left
    assert api.get(paths[0], by="jane").status_code == 200
    assert api.get("/api/v1/users/history", by="johndoe").status_code == 200


def test_other_calls_are_limited_for_each_user(limited: MakeApi, expect_problem: ExpectProblem) -> None:
    api = limited(RATE_LIMIT_READS="2/minute")
    assert api.get("/api/v1/users/history", by="admin").status_code == 200
    assert api.get("/api/v1/stats", by="admin").status_code == 200
    expect_problem(api.get("/api/v1/providers", by="admin"), 429, "rate-limited")
    assert api.get("/api/v1/users/history", by="jane").status_code == 200
    assert api.get("/api/v1/stock?q=aapl.us", by="admin").status_code == 200


def test_a_call_that_is_refused_asks_nobody_and_saves_nothing(
    limited: MakeApi, stock_client: ScriptedStockClient
) -> None:
    api = limited(RATE_LIMIT_QUOTES="1/minute")
    for _ in range(3):
        api.get("/api/v1/stock?q=aapl.us", by="johndoe")
    assert len(stock_client.calls) == 1


def test_an_address_is_limited_in_all_that_it_does(limited: MakeApi, expect_problem: ExpectProblem) -> None:
    api = limited(RATE_LIMIT_ADDRESS="4/minute")
    assert api.get("/api/v1/users/history", by="johndoe").status_code == 200
    expect_problem(api.get("/api/v1/stock?q=aapl.us", token="forged"), 401, "token-invalid")
    expect_problem(api.get("/api/v1/nothing"), 404, "not-found")
    expect_problem(api.client.post("/api/v1/stats"), 405, "method-not-allowed")
    for path in ("/api/v1/users/history", "/api/v1/nothing"):
        expect_problem(api.get(path, by="johndoe"), 429, "rate-limited")
    assert api.get("/healthz").status_code == 200  # a health check that is refused would end the container
    elsewhere = api.client.get("/api/v1/nothing", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    expect_problem(elsewhere, 404, "not-found")


@pytest.mark.parametrize(
    ("first", "second", "elsewhere"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:192.0.2.8"),
        ("192.0.2.7:41000", "192.0.2.7:41001", "192.0.2.8:41000"),
        ("[2001:db8::1]:443", "2001:db8::2", "[2001:db8:0:1::1]:443"),
    ],
)
def test_addresses_that_are_one_network_share_the_limits(
    limited: MakeApi, expect_problem: ExpectProblem, first: str, second: str, elsewhere: str
) -> None:
    api = limited(RATE_LIMIT_ADDRESS="2/minute", RATE_LIMIT_LOGIN="1/minute", TRUSTED_PROXIES="1")

    def log_in(address: str) -> TestResponse:
        wrong = {"username": "johndoe", "password": "wrong"}
        return api.client.post("/api/v1/login", json=wrong, headers={"X-Forwarded-For": address})

    assert log_in(first).status_code == 401
    assert "log-ins" in expect_problem(log_in(second), 429, "rate-limited")["detail"]
    assert "requests" in expect_problem(log_in(first), 429, "rate-limited")["detail"]
    assert log_in(elsewhere).status_code == 401


def test_a_forged_token_does_not_use_up_a_users_calls(limited: MakeApi) -> None:
    api = limited(RATE_LIMIT_READS="1/minute")
    for _ in range(5):
        api.get("/api/v1/users/history", token="forged")
    assert api.get("/api/v1/users/history", by="johndoe").status_code == 200


def test_only_failed_log_ins_are_counted(limited: MakeApi, expect_problem: ExpectProblem) -> None:
    api = limited(RATE_LIMIT_LOGIN="2/minute")
    assert [api.log_in("johndoe", "john").status_code for _ in range(4)] == [200] * 4
    assert api.log_in("johndoe", 7).status_code == 400
    assert [api.log_in(name, "wrong").status_code for name in ("johndoe", "nobody")] == [401, 401]
    refused = api.log_in("johndoe", "john")
    expect_problem(refused, 429, "rate-limited")
    assert "log-ins" in refused.get_json()["detail"]
    assert api.get("/api/v1/users/history", by="johndoe").status_code == 200  # a 401 elsewhere is no failed log-in


def test_a_log_in_that_is_refused_costs_no_hash(limited: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = limited(RATE_LIMIT_LOGIN="1/minute")
    api.log_in("johndoe", "wrong")
    monkeypatch.setattr("api_service.auth.passwords.Passwords.verify", lambda *_: pytest.fail("hashed"))
    assert api.log_in("johndoe", "john").status_code == 429


def test_off_is_no_limit(limited: MakeApi) -> None:
    names = ("RATE_LIMIT_QUOTES", "RATE_LIMIT_READS", "RATE_LIMIT_LOGIN", "RATE_LIMIT_ADDRESS")
    api = limited(**dict.fromkeys(names, "off"))
    assert {api.get("/api/v1/users/history", by="johndoe").status_code for _ in range(30)} == {200}
    assert {api.log_in("johndoe", "wrong").status_code for _ in range(4)} == {401}


def test_every_part_of_a_rate_holds(limited: MakeApi) -> None:
    api = limited(RATE_LIMIT_READS="5/hour;2/second")
    assert [api.get("/api/v1/users/history", by="johndoe").status_code for _ in range(3)] == [200, 200, 429]


def test_a_new_window_lets_the_caller_in_again() -> None:
    now = [119.9]
    rates = load({"APP_ENV": "development", "RATE_LIMIT_READS": "1/minute"}).web.rates
    limits = RateLimits(rates, MemoryCounters(), clock=lambda: now[0])
    app = Flask(__name__)
    with app.test_request_context():
        limits.count_user(7, asks_for_quotes=False)
        with pytest.raises(Problem) as refused:
            limits.count_user(7, asks_for_quotes=False)
        assert refused.value.headers == {"Retry-After": "1"}  # whole seconds, and never 0
        now[0] = 120.0
        limits.count_user(7, asks_for_quotes=False)


def test_a_flood_is_logged_once(limited: MakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api = limited(RATE_LIMIT_READS="1/minute", RATE_LIMIT_LOGIN="1/minute")
    for _ in range(20):
        api.get("/api/v1/users/history", by="johndoe")
        api.log_in("johndoe", "wrong")
    noted = [record.limit for record in caplog.records if record.message == "ratelimit.exceeded"]
    assert sorted(noted) == ["login", "reads"]


def test_keys_of_the_past_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("api_service.rate_counters.time.monotonic", lambda: now[0])
    counters = MemoryCounters()
    for number in range(1000):
        counters.add(f"past:{number}", 60)
    counters.add("long", 3600)
    now[0] = 61.0
    assert counters.add("new", 60) == 1
    assert len(counters) == 2
    assert counters.add("long", 3600) == 2


def test_threads_miss_no_count() -> None:
    counters = MemoryCounters()
    threads = [threading.Thread(target=lambda: [counters.add("key", 60) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.count("key") == 8000
