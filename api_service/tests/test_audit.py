from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event as sql_event

from api_service import audit, users
from api_service.audit import AuditEvent
from api_service.database import db, writing
from api_service.models import AuditEntry
from api_service.stock_clients import StockServiceUnavailableError, UnavailableReason
from api_service.tests.helpers import (
    Api,
    CountingHasher,
    ExpectProblem,
    HandSetClock,
    HoldLock,
    ScriptedStockClient,
)

AUDIT = "/api/v1/audit"


def latest(api: Api, number: int = 1, **query: Any) -> list[dict[str, Any]]:
    response = api.get(AUDIT, by="admin", limit=number, **query)
    assert response.status_code == 200
    return list(response.get_json())


def record_logouts(app: Flask, number: int) -> None:
    with app.app_context(), writing() as connection:
        for _ in range(number):
            audit.record(connection, AuditEvent.LOGGED_OUT, 2)


def test_an_entry_says_who_what_when_and_from_where(api: Api) -> None:
    response = api.log_in("johndoe", "john", address="192.0.2.9")
    (entry,) = latest(api)
    assert list(entry) == ["id", "at", "event", "user_id", "username", "address", "request_id", "detail"]
    assert entry["at"].endswith("Z")
    assert abs((datetime.fromisoformat(entry["at"]) - datetime.now().astimezone()).total_seconds()) < 5
    assert (entry["event"], entry["user_id"], entry["username"]) == ("login_succeeded", 2, "johndoe")
    assert (entry["address"], entry["detail"]) == ("192.0.2.9", {})
    assert entry["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("username", "user", "reason"),
    [("johndoe", "johndoe", "wrong-password"), ("jane", "jane", "inactive"), ("nobody", None, "unknown-user")],
)
def test_a_failed_log_in_is_recorded_with_the_reason_that_its_answer_hides(
    app: Flask, api: Api, username: str, user: str | None, reason: str
) -> None:
    with app.app_context():
        users.deactivate_user("jane")
    assert api.log_in(username, "jane").status_code == 401
    (entry,) = latest(api)
    assert (entry["event"], entry["username"], entry["detail"]) == ("login_failed", user, {"reason": reason})


def test_a_name_that_nobody_has_is_not_kept(api: Api) -> None:
    api.log_in("pass phrase", "x")
    assert "pass phrase" not in api.get(AUDIT, by="admin").text


@pytest.mark.usefixtures("quick_hasher")
def test_refusals_are_recorded_once_for_each_wait(api: Api, hand_set_clock: HandSetClock) -> None:
    def throttled() -> list[tuple[str | None, dict[str, Any]]]:
        return [(entry["username"], entry["detail"]) for entry in latest(api, 100, event="login_throttled")]

    for _ in range(9):
        api.log_in("johndoe", "wrong")
    first = ("johndoe", {"waits": "account", "seconds": 1})
    assert throttled() == [first]
    hand_set_clock.move(1)
    for _ in range(3):
        api.log_in("johndoe", "wrong")
    assert throttled() == [("johndoe", {"waits": "account", "seconds": 2}), first]
    for n in range(50):
        api.log_in(f"nobody{n}", "wrong")
    assert throttled()[0] == (None, {"waits": "address", "seconds": 1})
    assert len(throttled()) == 3


@pytest.mark.usefixtures("quick_hasher")
def test_an_attacker_without_an_account_cannot_fill_the_table(api: Api, hand_set_clock: HandSetClock) -> None:
    before = api.rows(AuditEntry)
    for n in range(300):
        api.log_in(f"nobody{n}", "wrong")
        api.get("/api/v1/stats", token=f"bad{n}")
        api.get("/api/v1/audit")
    assert api.rows(AuditEntry) - before == 50 + 1


@pytest.mark.parametrize("path", ["/api/v1/stats", "/api/v1/providers", AUDIT])
def test_what_super_users_see_and_others_do_not_is_recorded(api: Api, path: str) -> None:
    assert api.get(path, by="admin").status_code == 200
    assert api.get(path, by="johndoe").status_code == 403
    denied, read = latest(api, 2)
    for entry, event, username in ((denied, "access_denied", "johndoe"), (read, "admin_read", "admin")):
        assert (entry["event"], entry["username"], entry["detail"]) == (event, username, {"call": f"GET {path}"})
        assert entry["address"] == "127.0.0.1"


def test_a_user_cannot_fill_the_table_with_what_is_denied(
    api: Api, hand_set_clock: HandSetClock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [api.token_of(name) for name in ("johndoe", "jane")]
    before = api.rows(AuditEntry)

    def ask(times: int) -> int:
        for _ in range(times):
            for token in tokens:
                for path in ("/api/v1/stats", f"{AUDIT}?limit=7", f"{AUDIT}?limit=8"):
                    assert api.get(path, token=token).status_code == 403
        return api.rows(AuditEntry) - before

    assert ask(5) == 4  # two users, two calls
    lines = [record for record in caplog.records if record.message == "audit.access_denied"]
    assert len(lines) == 30
    assert len({record.request_id for record in lines}) == 30
    assert [record.detail for record in lines[:2]] == [{"call": "GET /api/v1/stats"}, {"call": f"GET {AUDIT}"}]
    hand_set_clock.move(60)
    assert ask(2) == 8


def test_a_denial_that_could_not_be_recorded_is_recorded_the_next_time(api: Api, locked_database: HoldLock) -> None:
    before = api.rows(AuditEntry)
    with locked_database():
        assert api.get("/api/v1/stats", by="johndoe").status_code == 503
    assert api.get("/api/v1/stats", by="johndoe").status_code == 403
    assert api.rows(AuditEntry) == before + 1


def test_a_read_that_showed_nothing_is_not_recorded(api: Api, stock_client: ScriptedStockClient) -> None:
    before = api.rows(AuditEntry)
    stock_client.answer = StockServiceUnavailableError(UnavailableReason.BROKER)
    assert api.get("/api/v1/providers", by="admin").status_code == 503
    assert api.get(AUDIT, by="admin", limit=0).status_code == 400
    assert api.rows(AuditEntry) == before


def test_nothing_is_shown_that_cannot_be_recorded(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    with locked_database():
        expect_problem(api.get("/api/v1/stats", by="admin"), 503, "database-unavailable")
        expect_problem(api.get("/api/v1/stats", by="johndoe"), 503, "database-unavailable")


def test_quotes_and_history_are_not_recorded_and_an_admin_read_is_one_insert(app: Flask, api: Api) -> None:
    tokens = {name: api.token_of(name) for name in ("admin", "johndoe")}
    sent: list[str] = []
    with app.app_context():
        sql_event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    for path in ("/api/v1/stock?q=aapl.us", "/api/v1/users/history"):
        assert api.get(path, token=tokens["johndoe"]).status_code == 200
    assert not [statement for statement in sent if "audit_log" in statement]
    assert api.get("/api/v1/stats", token=tokens["admin"]).status_code == 200
    (insert,) = [statement for statement in sent if "audit_log" in statement]
    assert insert.startswith("INSERT")


def test_pages_lead_from_the_latest_entry_to_the_first(app: Flask, api: Api) -> None:
    record_logouts(app, 25)
    token, seen, sizes = api.token_of("admin"), [], []
    address = f"{AUDIT}?limit=10&event=logged_out&user_id=2"
    while address:
        response = api.get(address, token=token)
        entries = response.get_json()
        seen += [entry["id"] for entry in entries]
        sizes.append(len(entries))
        record_logouts(app, 1)  # what comes in meanwhile shifts nothing
        link = response.headers.get("Link")
        address = link and link.removeprefix("<").removesuffix('>; rel="next"')
        if link:
            assert link == f'<{AUDIT}?limit=10&event=logged_out&user_id=2&before={seen[-1]}>; rel="next"'
    assert sizes == [10, 10, 5]
    assert seen == sorted(set(seen), reverse=True)


def test_a_page_that_is_just_full_is_the_last(app: Flask, api: Api) -> None:
    record_logouts(app, 3)
    response = api.get(AUDIT, by="admin", event="logged_out", limit=3)
    assert len(response.get_json()) == 3
    assert "Link" not in response.headers


def test_a_hundred_entries_unless_told_and_at_most_a_thousand(app: Flask, api: Api) -> None:
    record_logouts(app, 1001)
    assert len(api.get(AUDIT, by="admin").get_json()) == 100
    assert len(latest(api, 1000)) == 1000


def test_entries_of_one_event_or_one_user(app: Flask, api: Api, quick_hasher: CountingHasher) -> None:
    api.log_in("johndoe", "wrong")
    api.log_in("jane", "wrong")
    api.log_in("johndoe", "john")
    found = latest(api, 10, event="login_failed")
    assert [entry["username"] for entry in found] == ["jane", "johndoe"]
    both = latest(api, 10, event="login_failed", user_id=2)
    assert [entry["username"] for entry in both] == ["johndoe"]
    assert {entry["username"] for entry in latest(api, 10, user_id=2)} == {"johndoe"}
    assert latest(api, 10, user_id=4711) == []
    assert latest(api, 10, before=1) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=5&limit=5", "limit"),
        ("before=0", "before"),
        ("before=1e3", "before"),
        (f"before={'9' * 19}", "before"),
        (f"before={'9' * 5000}", "before"),
        ("before=1&before=2", "before"),
        ("user_id=admin", "user_id"),
        (f"user_id={2**31}", "user_id"),
        ("user_id=2%00", "user_id"),
        ("event=", "event"),
        ("event=LOGIN_FAILED", "event"),
        ("event=login_failed&event=login_failed", "event"),
    ],
)
def test_a_parameter_that_is_wrong_or_there_twice_is_refused_with_what_to_send(
    api: Api, expect_problem: ExpectProblem, query: str, named: str
) -> None:
    wanted = {
        "limit": "1 to 1000",
        "before": "1 to 999999999999999999",
        "user_id": "1 to 2147483647",
        "event": "login_succeeded, login_failed",
    }[named]
    body = expect_problem(api.get(f"{AUDIT}?{query}", by="admin"), 400, "invalid-parameter")
    assert body["detail"].startswith(f"Give {named} at most once: ")
    assert wanted in body["detail"]


def test_the_largest_numbers_are_taken(api: Api) -> None:
    assert latest(api, 1, before=10**18 - 1)
    assert latest(api, 1, user_id=2**31 - 1) == []


def test_other_parameters_are_ignored_as_in_every_call(api: Api) -> None:
    assert latest(api, 1, nothing="x")
    assert "Link" in api.get(AUDIT, by="admin", limit=1, text="ä>b").headers
    assert ">b" not in api.get(AUDIT, by="admin", limit=1, text="ä>b").headers["Link"]


def test_only_super_users_may_ask(api: Api, expect_problem: ExpectProblem) -> None:
    expect_problem(api.get(AUDIT), 401, "token-missing")
    expect_problem(api.get(AUDIT, by="johndoe"), 403, "super-users-only")
