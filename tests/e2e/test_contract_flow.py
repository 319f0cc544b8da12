"""The four calls of the public contract, literally, through both services as processes, in both transports."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.e2e.conftest import System, assert_problem
from tests.stand_ins import HEADER, RETIRED, StooqStandIn

pytestmark = pytest.mark.timeout(90)


def test_login_quote_history(system: System, stooq: StooqStandIn) -> None:
    logged_in = system.login("admin", "admin")
    assert logged_in.status_code == 200
    assert isinstance(logged_in.json()["token"], str)

    csv_row = "LIT.US,2021-04-01,19:20:30,123.66,123.66,122.49,123,75089134,LITERAL"
    stooq.answers["lit.us"] = (200, f"{HEADER}{csv_row}\r\n".encode())
    answer = system.get("/api/v1/stock?q=lit.us", "admin")
    assert answer.status_code == 200
    assert answer.json() == {"symbol": "LIT.US", "company_name": "LITERAL", "quote": 123.0}
    assert '"quote": "' not in answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Quote-Source"] == "stooq"
    assert answer.headers["Quote-As-Of"] == "2021-04-01T17:20:30Z"  # Warsaw is two hours ahead in April

    history = system.get("/api/v1/users/history", "admin")
    assert history.status_code == 200
    entry = history.json()[0]
    assert list(entry) == ["date", "name", "symbol", "open", "high", "low", "close"]
    asked = datetime.strptime(entry.pop("date"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - asked).total_seconds()) < 10
    prices = {"open": 123.66, "high": 123.66, "low": 122.49, "close": 123.0}
    assert entry == {"name": "LITERAL", "symbol": "LIT.US", **prices}


def test_the_provider_is_asked_as_its_users_ask_it(system: System, stooq: StooqStandIn) -> None:
    assert system.get("/api/v1/stock?q=AsKeD.Us").status_code == 200
    assert stooq.queries == [{"s": ["asked.us"], "f": ["sd2t2ohlcvn"], "h": [""], "e": ["csv"]}]


def test_history_is_latest_first_and_only_ones_own(system: System) -> None:
    for code in ("s1.us", "s2.us", "s3.us"):
        assert system.get(f"/api/v1/stock?q={code}", "johndoe").status_code == 200
    assert system.get("/api/v1/stock?q=s4.us", "admin").status_code == 200
    johns = [entry["symbol"] for entry in system.get("/api/v1/users/history", "johndoe").json()]
    admins = [entry["symbol"] for entry in system.get("/api/v1/users/history", "admin").json()]
    assert johns[:3] == ["S3.US", "S2.US", "S1.US"]
    assert admins[0] == "S4.US"
    assert "S4.US" not in johns
    assert not {"S1.US", "S2.US", "S3.US"} & set(admins)


def test_stats_are_the_top_five_in_lower_case_for_super_users(system: System) -> None:
    for number, times in enumerate([9, 8, 7, 6, 5, 4], start=10):
        for _ in range(times):
            assert system.get(f"/api/v1/stock?q=S{number}.US").status_code == 200
    stats = system.get("/api/v1/stats", "admin")
    top_five = {"s10.us": 9, "s11.us": 8, "s12.us": 7, "s13.us": 6, "s14.us": 5}
    assert stats.status_code == 200
    assert stats.json() == [{"stock": code, "times_requested": times} for code, times in top_five.items()]
    assert_problem(system.get("/api/v1/stats", "johndoe"), 403, "super-users-only")


@pytest.mark.parametrize("path", ["/api/v1/stock?q=aapl.us", "/api/v1/users/history", "/api/v1/stats"])
def test_anonymous_and_bad_tokens_are_401(system: System, path: str) -> None:
    assert_problem(system.get(path, None), 401, "token-missing")
    for value in ("Bearer", "Bearer x.y.z", f"Basic {system.token('admin')}", f"Bearer {system.token('admin')}x"):
        answer = system.session.get(system.url(path), headers={"Authorization": value}, timeout=9)
        assert_problem(answer, 401, answer.json()["type"].removeprefix("/problems/"))
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "query",
    ["", "?q=", "?q=" + "a" * 21, "?q=aapl%20us", "?q=.us", "?q=aapl.us%26f%3Dx", "?q=a&q=b", "?q=%00", "?q=%C3%A4"],
)
def test_a_malformed_symbol_is_400_and_goes_nowhere(system: System, stooq: StooqStandIn, query: str) -> None:
    before = system.get("/api/v1/users/history").json()
    answer = system.get(f"/api/v1/stock{query}")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert stooq.queries == []
    assert system.get("/api/v1/users/history").json() == before


def test_an_unknown_symbol_is_404_and_not_saved(system: System) -> None:
    before = system.get("/api/v1/users/history").json()
    assert_problem(system.get("/api/v1/stock?q=nosuch.us"), 404, "symbol-not-found")
    assert system.get("/api/v1/users/history").json() == before


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (RETIRED, 502),
        ((200, b"<html>verify your browser</html>"), 502),
        ((200, b"Exceeded the daily hits limit"), 503),
        ((200, b""), 502),
        ((200, b"Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\nBAD.US,2021-11-12,22:00:10,1,2"), 502),
        ((500, b"oops"), 502),
    ],
)
def test_an_outage_of_the_provider_is_never_an_unknown_symbol(
    system: System, outage: StooqStandIn, answer: tuple[int, bytes], status: int
) -> None:
    outage.answers["bad.us"] = answer
    before = system.get("/api/v1/users/history").json()
    got = system.get("/api/v1/stock?q=bad.us")
    assert got.status_code == status, got.text
    assert got.headers["Content-Type"] == "application/problem+json"
    assert system.get("/api/v1/users/history").json() == before


def test_a_provider_that_does_not_answer_is_504_in_time(system: System, outage: StooqStandIn) -> None:
    outage.hold()
    answer = system.get("/api/v1/stock?q=slow.us")
    assert answer.status_code == 504
    assert answer.elapsed.total_seconds() < 8.0


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"username": "admin"}',
        b'{"username": 1, "password": "admin"}',
        b'{"username": "admin", "password": null}',
        b'{"username": "admin", "password": "admin", "extra": 1}',
    ],
)
def test_a_broken_login_is_400(system: System, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = system.session.post(system.url("/api/v1/login"), data=body, headers=headers, timeout=9)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_password_and_an_unknown_user_get_the_same_401(system: System) -> None:
    wrong, unknown = system.login("admin", "nope"), system.login("nobody", "nope")
    assert_problem(wrong, 401, "login-failed")
    bodies = [{**answer.json(), "request_id": None} for answer in (wrong, unknown)]
    assert bodies[0] == bodies[1]


def test_a_session_is_refreshed_and_ends_with_the_log_out_or_a_second_use(system: System) -> None:
    def accepted(token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return system.session.get(system.url("/api/v1/users/history"), headers=headers, timeout=9).status_code == 200

    first = system.login("johndoe", "john").json()
    second = system.post("/api/v1/refresh", first["refresh_token"]).json()
    assert accepted(first["token"])
    assert accepted(second["token"])
    assert system.post("/api/v1/logout", second["token"]).status_code == 204
    assert not accepted(first["token"])
    assert_problem(system.post("/api/v1/refresh", second["refresh_token"]), 401, "token-invalid")

    stolen = system.login("johndoe", "john").json()
    newest = system.post("/api/v1/refresh", stolen["refresh_token"]).json()
    assert_problem(system.post("/api/v1/refresh", stolen["refresh_token"]), 401, "token-invalid")
    assert not accepted(newest["token"])
    assert accepted(system.token("johndoe"))


def test_other_addresses_and_methods_are_problems_too(system: System) -> None:
    assert_problem(system.get("/nothing"), 404, "not-found")
    answer = system.session.post(system.url("/api/v1/stats"), timeout=9)
    assert_problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


def test_64_concurrent_callers_each_get_their_own_symbol(system: System) -> None:
    numbers = range(100, 164)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda number: system.quote(f"s{number}.us"), numbers))
    assert [answer.status_code for answer in answers] == [200] * 64
    assert [answer.json() for answer in answers] == [
        {"symbol": f"S{number}.US", "company_name": f"COMPANY {number}", "quote": number + 0.5} for number in numbers
    ]


def test_no_secret_is_in_the_logs(system: System) -> None:
    token = system.token("admin")
    used = system.login("admin", "admin").json()["refresh_token"]
    refreshed = system.post("/api/v1/refresh", used).json()["refresh_token"]
    system.post("/api/v1/refresh", used)
    logs = "".join(path.read_text() for path in system.directory.glob("*.log"))
    for secret in (
        token,
        used,
        refreshed,
        system.environment["SECRET_KEY"],
        system.login("admin", "admin").json()["token"],
    ):
        assert secret not in logs


def test_every_line_of_the_logs_in_production_is_json(system: System) -> None:
    assert system.get("/api/v1/stock?q=aapl.us").status_code == 200
    for log in system.directory.glob("*.log"):
        lines = log.read_text(encoding="utf-8").splitlines()
        assert lines
        for line in lines:
            assert "event" in json.loads(line)
