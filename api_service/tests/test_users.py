"""The accounts as super users see and change them over HTTP, and what everybody may know of themself."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api_service import audit, user_list, users
from api_service.models import AuditEntry, Role, User
from api_service.tests.helpers import Api, CountingHasher, ExpectProblem, HoldLock

USERS = "/api/v1/users"
ME = "/api/v1/users/me"
GOOD = "seven purple tractors hum"
NEW = {"username": "ann", "password": GOOD}
ADMIN, JOHNDOE, JANE = (f"{USERS}/{number}" for number in (1, 2, 3))


def add(api: Api, body: Any, by: str = "admin") -> TestResponse:
    return api.post(USERS, token=api.token_of(by), json=body)


def changes_on_record(app: Flask, count: int) -> list[tuple[str, str, dict[str, Any]]]:
    with app.app_context():
        rows = audit.entries(count)
    return [(row["event"], row["username"], json.loads(row["detail"])) for row in reversed(rows)]


def at_once(number: int, call: Callable[[int], None]) -> None:
    """Run `call` with each number from 0, all at the same time."""
    start = threading.Barrier(number, timeout=5)

    def run(one: int) -> None:
        start.wait()
        call(one)

    threads = [threading.Thread(target=run, args=(one,)) for one in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestMe:
    @pytest.mark.parametrize(("name", "number", "role"), [("admin", 1, "ADMIN"), ("johndoe", 2, "USER")])
    def test_it_is_who_asks(self, api: Api, name: str, number: int, role: str) -> None:
        answer = api.get(ME, by=name)
        assert (answer.status_code, answer.get_json()) == (200, {"id": number, "username": name, "role": role})

    def test_a_role_that_was_given_shows_at_once(self, app: Flask, api: Api) -> None:
        with app.app_context():
            users.set_role("jane", Role.ADMIN)
        assert api.get(ME, by="jane").get_json()["role"] == "ADMIN"


class TestList:
    def test_the_latest_user_comes_first(self, api: Api) -> None:
        answer = api.get(USERS, by="admin")
        assert answer.status_code == 200
        assert [user["username"] for user in answer.get_json()] == ["jane", "johndoe", "admin"]
        assert list(answer.get_json()[0]) == ["id", "username", "role", "active", "created_at"]
        assert (answer.headers["X-Total-Count"], answer.headers.get("Link")) == ("3", None)

    def test_an_entry_is_as_the_database_has_it(self, app: Flask, api: Api) -> None:
        with app.app_context():
            users.deactivate_user("jane")
            created = user_list.find_user(3).created_at
        assert api.get(USERS, by="admin").get_json()[0] == {
            "id": 3,
            "username": "jane",
            "role": "USER",
            "active": False,
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        }

    def test_the_pages_lead_from_one_to_the_next(self, api: Api) -> None:
        path, seen = f"{USERS}?limit=2", []
        while path:
            answer = api.get(path, by="admin")
            seen.append([user["id"] for user in answer.get_json()])
            assert answer.headers["X-Total-Count"] == "3"
            path = answer.headers.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
        assert seen == [[3, 2], [1]]

    @pytest.mark.parametrize(("before", "ids"), [(1, []), (2, [1]), (2**31 - 1, [3, 2, 1]), (10**18 - 1, [3, 2, 1])])
    def test_any_place_will_do(self, api: Api, before: int, ids: list[int]) -> None:
        assert [user["id"] for user in api.get(USERS, by="admin", before=before).get_json()] == ids

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"before": 0}, {"before": "x"}])
    def test_another_parameter_is_refused(
        self, api: Api, expect_problem: ExpectProblem, query: dict[str, Any]
    ) -> None:
        expect_problem(api.get(USERS, by="admin", **query), 400, "invalid-parameter")

    def test_what_a_super_user_is_shown_is_on_record(self, app: Flask, api: Api) -> None:
        api.get(USERS, by="admin")
        api.get(JANE, by="admin")
        assert changes_on_record(app, 2) == [
            ("admin_read", "admin", {"call": "GET /api/v1/users"}),
            ("admin_read", "admin", {"call": "GET /api/v1/users/<int:user_id>"}),
        ]


class TestOne:
    def test_it_is_the_entry_of_the_list(self, api: Api) -> None:
        assert api.get(JANE, by="admin").get_json() == api.get(USERS, by="admin").get_json()[0]

    @pytest.mark.parametrize("number", ["0", "4", str(2**31 - 1), str(2**31), "9" * 1000])
    def test_nobody_is_a_404(self, api: Api, expect_problem: ExpectProblem, number: str) -> None:
        expect_problem(api.get(f"{USERS}/{number}", by="admin"), 404, "user-not-found")
        expect_problem(api.patch(f"{USERS}/{number}", by="admin", json={"active": True}), 404, "user-not-found")


class TestAdd:
    def test_a_new_user_can_log_in(self, app: Flask, api: Api) -> None:
        answer = add(api, NEW)
        assert answer.status_code == 201
        assert answer.headers["Location"] == "/api/v1/users/4"
        assert answer.get_json() == api.get("/api/v1/users/4", by="admin").get_json()
        assert (answer.get_json()["role"], answer.get_json()["active"]) == ("USER", True)
        assert GOOD not in answer.text
        assert api.log_in("ann", GOOD).status_code == 200
        with app.app_context():
            (entry,) = audit.entries(1, event=audit.AuditEvent.USER_ADDED)
        assert (entry["user_id"], json.loads(entry["detail"])) == (4, {"role": "USER", "by": 1})
        assert entry["request_id"] == answer.headers["X-Request-ID"]

    def test_a_new_super_user_is_one(self, api: Api) -> None:
        assert add(api, NEW | {"role": "ADMIN"}).get_json()["role"] == "ADMIN"
        assert api.get(USERS, by="ann").status_code == 200

    def test_the_same_again_is_a_409_that_costs_no_hash(
        self, api: Api, hasher: CountingHasher, expect_problem: ExpectProblem
    ) -> None:
        assert add(api, NEW).status_code == 201
        assert hasher.work == 1
        expect_problem(add(api, NEW), 409, "username-taken")
        expect_problem(add(api, NEW | {"username": "jane"}), 409, "username-taken")
        assert hasher.work == 1
        assert api.rows(User) == 4

    def test_of_many_at_the_same_time_one_is_made(
        self, app: Flask, api: Api, quick_hasher: CountingHasher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All of them find the name free, before the first has taken it."""
        hashed, hash_password = threading.Barrier(3, timeout=5), quick_hasher.hash

        def hash_together(password: str) -> str:
            hashed.wait()
            return hash_password(password)

        monkeypatch.setattr(app.extensions["api_service"].passwords, "hash", hash_together)
        headers, answers = {"Authorization": f"Bearer {api.token_of('admin')}"}, []
        at_once(3, lambda _: answers.append(app.test_client().post(USERS, headers=headers, json=NEW)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 2}
        assert {answer.get_json().get("type") for answer in answers} == {None, "/problems/username-taken"}
        assert api.rows(User) == 4

    @pytest.mark.parametrize(
        "password",
        ["", "short", GOOD[:11], "x" * 129, "password1234", "ann ann ann ann", "correct horse battery staple"],
    )
    def test_a_bad_password_is_refused_unhashed(
        self, api: Api, hasher: CountingHasher, expect_problem: ExpectProblem, password: str
    ) -> None:
        expect_problem(add(api, NEW | {"password": password}), 400, "password-refused")
        assert (hasher.work, api.rows(User)) == (0, 3)

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, {"username", "password"}),
            ({"username": "ann"}, {"password"}),
            ([NEW], {"_schema"}),
            (NEW | {"active": False}, {"active"}),
            (NEW | {"role": "admin"}, {"role"}),
            (NEW | {"role": None}, {"role"}),
            (NEW | {"role": ["ADMIN"]}, {"role"}),
            (NEW | {"role": {}}, {"role"}),
            (NEW | {"username": "a b"}, {"username"}),
            (NEW | {"username": ""}, {"username"}),
            (NEW | {"username": "a" * 65}, {"username"}),
            (NEW | {"username": "ann\n"}, {"username"}),
            (NEW | {"username": 7}, {"username"}),
            (NEW | {"password": "\ud800" * 20}, {"password"}),
            (NEW | {"password": None}, {"password"}),
        ],
    )
    def test_a_body_of_another_form_is_refused(
        self, api: Api, expect_problem: ExpectProblem, body: Any, wrong: set[str]
    ) -> None:
        answer = add(api, body)
        errors = answer.get_json()["errors"]
        expect_problem(answer, 400, "invalid-body", errors=errors)
        assert errors.keys() == wrong
        assert api.rows(User) == 3

    def test_others_may_not(self, api: Api, expect_problem: ExpectProblem) -> None:
        expect_problem(add(api, NEW, by="jane"), 403, "super-users-only")
        expect_problem(api.patch(JANE, by="jane", json={"role": "ADMIN"}), 403, "super-users-only")
        assert api.rows(User) == 3


class TestChange:
    def test_several_changes_are_one_transaction_with_an_entry_for_each(self, app: Flask, api: Api) -> None:
        answer = api.patch(JANE, by="admin", json={"active": False, "role": "ADMIN", "password": GOOD})
        assert answer.status_code == 200
        assert answer.get_json() == api.get(JANE, by="admin").get_json()
        assert (answer.get_json()["role"], answer.get_json()["active"]) == ("ADMIN", False)
        assert changes_on_record(app, 4)[:3] == [
            ("user_deactivated", "jane", {"by": 1}),
            ("role_changed", "jane", {"role": "ADMIN", "by": 1}),
            ("password_changed", "jane", {"by": 1}),
        ]

    def test_a_password_is_changed_for_another(self, api: Api) -> None:
        assert api.patch(JANE, by="admin", json={"password": GOOD}).status_code == 200
        assert api.log_in("jane", "jane").status_code == 401
        assert api.log_in("jane", GOOD).status_code == 200

    @pytest.mark.parametrize("change", [{"password": GOOD}, {"role": "ADMIN"}, {"active": False}])
    def test_it_ends_the_tokens_of_that_user_and_of_nobody_else(
        self, api: Api, expect_problem: ExpectProblem, change: dict[str, Any]
    ) -> None:
        janes, johns = api.pair_of("jane"), api.token_of("johndoe")
        assert api.patch(JANE, by="admin", json=change).status_code == 200
        expect_problem(api.get(ME, token=janes.token), 401, "token-invalid")
        expect_problem(api.post("/api/v1/refresh", token=janes.refresh_token), 401, "token-invalid")
        assert api.get(ME, token=johns).status_code == 200

    def test_who_is_let_in_again_logs_in(self, api: Api, expect_problem: ExpectProblem) -> None:
        before = api.token_of("jane")
        api.patch(JANE, by="admin", json={"active": False})
        assert api.log_in("jane", "jane").status_code == 401
        assert api.patch(JANE, by="admin", json={"active": True}).get_json()["active"] is True
        expect_problem(api.get(ME, token=before), 401, "token-invalid")
        assert api.log_in("jane", "jane").status_code == 200

    @pytest.mark.parametrize("same", [{"role": "USER"}, {"active": True}, {"active": True, "role": "USER"}])
    def test_what_is_so_already_is_no_change(self, app: Flask, api: Api, same: dict[str, Any]) -> None:
        token, before = api.token_of("jane"), api.rows(AuditEntry)
        answer = api.patch(JANE, by="admin", json=same)
        assert (answer.status_code, answer.get_json()["username"]) == (200, "jane")
        assert api.rows(AuditEntry) == before
        assert api.get(ME, token=token).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [{"active": False}, {"role": "USER"}, {"password": GOOD, "role": "USER"}, {"active": False, "role": "ADMIN"}],
    )
    def test_the_last_active_super_user_stays(
        self, app: Flask, api: Api, expect_problem: ExpectProblem, change: dict[str, Any]
    ) -> None:
        with app.app_context():
            users.set_role("jane", Role.ADMIN)
            users.deactivate_user("jane")
        token, before = api.token_of("admin"), api.rows(AuditEntry)
        expect_problem(api.patch(ADMIN, by="admin", json=change), 409, "last-super-user")
        assert api.rows(AuditEntry) == before
        assert api.get(USERS, token=token).status_code == 200
        assert api.log_in("admin", "admin").status_code == 200

    @pytest.mark.parametrize("change", [{"active": False}, {"role": "USER"}, {"password": GOOD}])
    def test_a_super_user_may_change_themself_while_another_is_left(
        self, app: Flask, api: Api, change: dict[str, Any]
    ) -> None:
        with app.app_context():
            users.set_role("jane", Role.ADMIN)
        token = api.token_of("admin")
        assert api.patch(ADMIN, by="admin", json=change).status_code == 200
        assert changes_on_record(app, 1)[0][1:] == (
            "admin",
            {"by": 1} | ({"role": "USER"} if "role" in change else {}),
        )
        assert api.get(ME, token=token).status_code == 401

    def test_two_super_users_cannot_remove_each_other(self, app: Flask, api: Api) -> None:
        with app.app_context():
            users.set_role("jane", Role.ADMIN)
        tokens, answers = (api.token_of("admin"), api.token_of("jane")), []

        def take(number: int) -> None:
            headers, path = {"Authorization": f"Bearer {tokens[number]}"}, (JANE, ADMIN)[number]
            answers.append(app.test_client().patch(path, headers=headers, json={"active": False}).status_code)

        at_once(2, take)
        assert answers.count(200) == 1
        assert set(answers) <= {200, 401, 409}  # the other is refused, or out before its token is looked at

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, {"_schema"}),
            ([], {"_schema"}),
            ({"username": "ann"}, {"username"}),
            ({"active": 1}, {"active"}),
            ({"active": "false"}, {"active"}),
            ({"active": None}, {"active"}),
            ({"active": []}, {"active"}),
            ({"role": "ROOT"}, {"role"}),
            ({"role": None}, {"role"}),
            ({"password": 7}, {"password"}),
            ({"active": True, "id": 1}, {"id"}),
        ],
    )
    def test_a_body_of_another_form_is_refused(
        self, api: Api, expect_problem: ExpectProblem, body: Any, wrong: set[str]
    ) -> None:
        answer = api.patch(JANE, by="admin", json=body)
        errors = answer.get_json()["errors"]
        expect_problem(answer, 400, "invalid-body", errors=errors)
        assert errors.keys() == wrong

    def test_a_bad_password_changes_nothing_else_either(
        self, api: Api, hasher: CountingHasher, expect_problem: ExpectProblem
    ) -> None:
        for password in ("short", "jane jane jane jane"):
            answer = api.patch(JANE, by="admin", json={"password": password, "role": "ADMIN"})
            expect_problem(answer, 400, "password-refused")
        assert hasher.work == 0
        assert api.get(JANE, by="admin").get_json()["role"] == "USER"

    def test_nothing_is_hashed_for_nobody(
        self, api: Api, hasher: CountingHasher, expect_problem: ExpectProblem
    ) -> None:
        expect_problem(api.patch(f"{USERS}/4711", by="admin", json={"password": GOOD}), 404, "user-not-found")
        assert hasher.work == 0

    def test_what_cannot_be_saved_is_not_answered_as_done(
        self, api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
    ) -> None:
        with locked_database():
            expect_problem(add(api, NEW), 503, "database-unavailable")
            expect_problem(api.patch(JANE, by="admin", json={"active": False}), 503, "database-unavailable")
        assert (api.rows(User), api.log_in("jane", "jane").status_code) == (3, 200)

    def test_passwords_and_names_stay_out_of_the_log(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        secret = "pelican canary tuesday glue"
        add(api, {"username": "ann", "password": secret})
        api.patch(JANE, by="admin", json={"password": f"{secret}!"})
        everything = str([record.__dict__ for record in caplog.records])
        assert [record.message for record in caplog.records] == ["audit.user_added", "audit.password_changed"]
        assert "canary" not in everything
        assert "argon2" not in everything
