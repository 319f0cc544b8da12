"""Which tokens count, and what ends them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, insert, select, text

from api_service import sessions, users
from api_service.app import create_app
from api_service.database import db, reading, writing
from api_service.models import RevokedToken, Role
from api_service.settings import Settings
from api_service.tests.helpers import Api, ExpectProblem, HoldLock, ScriptedStockClient

HISTORY = "/api/v1/users/history"
STATS = "/api/v1/stats"
REFRESH = "/api/v1/refresh"
LOGOUT = "/api/v1/logout"


def test_a_log_out_ends_all_tokens_of_that_log_in_at_once(api: Api, expect_problem: ExpectProblem) -> None:
    first = api.log_in("johndoe", "john").get_json()
    second = api.post(REFRESH, token=first["refresh_token"]).get_json()
    answer = api.post(LOGOUT, token=first["token"])
    assert (answer.status_code, answer.data, answer.content_type) == (204, b"", None)
    for pair in (first, second):
        expect_problem(api.get(HISTORY, token=pair["token"]), 401, "token-invalid")
        expect_problem(api.post(REFRESH, token=pair["refresh_token"]), 401, "token-invalid")
    expect_problem(api.post(LOGOUT, token=first["token"]), 401, "token-invalid")


def test_a_log_out_leaves_other_log_ins_alone(api: Api) -> None:
    here, there, janes = api.pair_of("johndoe"), api.pair_of("johndoe"), api.pair_of("jane")
    assert api.post(LOGOUT, token=here.token).status_code == 204
    for pair in (there, janes):
        assert api.get(HISTORY, token=pair.token).status_code == 200
        assert api.post(REFRESH, token=pair.refresh_token).status_code == 200


def test_a_log_out_everywhere_ends_all_log_ins_of_that_user(api: Api, expect_problem: ExpectProblem) -> None:
    here, there, janes = api.pair_of("johndoe"), api.pair_of("johndoe"), api.pair_of("jane")
    assert api.post(LOGOUT, token=here.token, everywhere="true").status_code == 204
    for pair in (here, there):
        expect_problem(api.get(HISTORY, token=pair.token), 401, "token-invalid")
        expect_problem(api.post(REFRESH, token=pair.refresh_token), 401, "token-invalid")
    assert api.get(HISTORY, token=janes.token).status_code == 200
    assert api.get(HISTORY, token=api.log_in("johndoe", "john").get_json()["token"]).status_code == 200


@pytest.mark.parametrize("everywhere", ["", "1", "TRUE", ["true", "true"]])
def test_what_is_neither_true_nor_false_ends_nothing(
    api: Api, expect_problem: ExpectProblem, everywhere: str | list[str]
) -> None:
    token = api.token_of("johndoe")
    expect_problem(api.post(LOGOUT, token=token, everywhere=everywhere), 400, "invalid-parameter")
    assert api.get(HISTORY, token=token).status_code == 200
    assert api.post(LOGOUT, token=token, everywhere="false").status_code == 204


def test_a_refresh_token_is_for_refreshing_only(api: Api, expect_problem: ExpectProblem) -> None:
    pair = api.pair_of("admin")
    for path in (HISTORY, STATS):
        expect_problem(api.get(path, token=pair.refresh_token), 401, "token-invalid")
    expect_problem(api.post(LOGOUT, token=pair.refresh_token), 401, "token-invalid")
    expect_problem(api.post(REFRESH, token=pair.token), 401, "token-invalid")
    assert api.post(REFRESH, token=pair.refresh_token).status_code == 200


def test_a_user_who_loses_a_role_loses_what_it_allows_at_once(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    with app.app_context():
        users.set_role("jane", Role.ADMIN)
        old = api.pair_of("jane")
        assert api.get(STATS, token=old.token).status_code == 200
        users.set_role("jane", Role.USER)
    expect_problem(api.get(STATS, token=old.token), 401, "token-invalid")
    expect_problem(api.post(REFRESH, token=old.refresh_token), 401, "token-invalid")
    expect_problem(api.get(STATS, by="jane"), 403, "super-users-only")


def test_a_deactivated_user_is_out_at_once_and_old_tokens_stay_dead(
    app: Flask, api: Api, expect_problem: ExpectProblem
) -> None:
    old = api.pair_of("johndoe")
    assert api.get(HISTORY, token=old.token).status_code == 200
    with app.app_context():
        users.deactivate_user("johndoe")
        expect_problem(api.get(HISTORY, token=old.token), 401, "token-invalid")
        expect_problem(api.get(HISTORY, token=api.token_of("johndoe")), 401, "token-invalid")
        users.activate_user("johndoe")
    expect_problem(api.get(HISTORY, token=old.token), 401, "token-invalid")
    expect_problem(api.post(REFRESH, token=old.refresh_token), 401, "token-invalid")
    assert api.get(HISTORY, by="johndoe").status_code == 200


def test_what_has_ended_stays_ended_in_another_process(
    settings: Settings, stock_client: ScriptedStockClient, api: Api, expect_problem: ExpectProblem
) -> None:
    """Another application on the same database: one that runs beside the first, or after it."""
    out, used, on = api.pair_of("johndoe"), api.pair_of("johndoe"), api.pair_of("johndoe")
    api.post(LOGOUT, token=out.token)
    api.post(REFRESH, token=used.refresh_token)
    app = create_app(settings, stock_client)
    other = Api(app, app.test_client())
    expect_problem(other.get(HISTORY, token=out.token), 401, "token-invalid")
    expect_problem(other.post(REFRESH, token=used.refresh_token), 401, "token-invalid")
    assert other.get(HISTORY, token=on.token).status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_one_select_decides_whether_a_token_counts(app: Flask, api: Api) -> None:
    token, seen = api.token_of("johndoe"), []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        assert api.get("/api/v1/users/me", token=token).status_code == 200
    assert [statement.split()[0] for statement in seen] == ["SELECT"]


@pytest.mark.parametrize("table", ["users", "revoked_tokens"])
def test_without_the_database_nobody_is_let_in(
    app: Flask, api: Api, expect_problem: ExpectProblem, table: str
) -> None:
    pair = api.pair_of("admin")
    with app.app_context(), writing() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO gone"))
    expect_problem(api.get("/api/v1/providers", token=pair.token), 503, "database-unavailable")
    expect_problem(api.post(REFRESH, token=pair.refresh_token), 503, "database-unavailable")
    expect_problem(api.post(LOGOUT, token=pair.token), 503, "database-unavailable")


def test_a_log_out_that_is_not_saved_is_not_answered_as_one(
    api: Api, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    token = api.token_of("johndoe")
    with locked_database():
        expect_problem(api.post(LOGOUT, token=token), 503, "database-unavailable")
    assert api.get(HISTORY, token=token).status_code == 200


def test_an_entry_outlives_every_token_that_it_ends(app: Flask, api: Api) -> None:
    api.post(LOGOUT, token=api.token_of("johndoe"))
    with app.app_context(), reading() as connection:
        kept_until = connection.scalar(select(RevokedToken.expires_at))
    assert kept_until > datetime.now(UTC) + sessions.REFRESH_LIFETIME + timedelta(minutes=1)


def test_expired_entries_go_a_hundred_at_a_time_and_others_stay(app: Flask, api: Api) -> None:
    now = datetime.now(UTC)
    rows = [{"id": f"old-{n}", "expires_at": now - timedelta(seconds=n + 1)} for n in range(150)]
    rows.append({"id": "current", "expires_at": now + timedelta(minutes=1)})
    with app.app_context(), writing() as connection:
        connection.execute(insert(RevokedToken), rows)
    for left in (52, 3):
        api.post(LOGOUT, token=api.token_of("johndoe"))
        assert api.rows(RevokedToken) == left
    with app.app_context(), reading() as connection:
        left_over = connection.scalars(select(RevokedToken.id).where(RevokedToken.expires_at < now)).all()
        assert left_over == []
        assert "current" in connection.scalars(select(RevokedToken.id)).all()


def test_the_purge_goes_by_the_index(app: Flask, api: Api) -> None:
    seen = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2:4]))
        api.post(LOGOUT, token=api.token_of("johndoe"))
        ((purge, values),) = [each for each in seen if each[0].startswith("DELETE")]
        with reading() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {purge}", values).all()
    assert "ix_revoked_tokens_expires_at" in str(plan)
    assert "B-TREE" not in str(plan)


def test_the_last_super_user_keeps_the_role(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(users.LastAdminError):
            users.set_role("admin", Role.USER)
        users.set_role("admin", Role.ADMIN)
        users.set_role("jane", Role.ADMIN)
        users.set_role("admin", Role.USER)
        with pytest.raises(users.LastAdminError):
            users.deactivate_user("jane")


@pytest.mark.parametrize(
    ("change", "event_name"),
    [
        (lambda: users.set_role("johndoe", Role.ADMIN), "audit.role_changed"),
        (lambda: users.deactivate_user("johndoe"), "audit.user_deactivated"),
        (lambda: (users.deactivate_user("johndoe"), users.activate_user("johndoe")), "audit.user_activated"),
        (lambda: users.set_password_hash("johndoe", "hash-canary"), "audit.password_changed"),
    ],
    ids=["role", "deactivate", "activate", "password"],
)
def test_changes_of_an_account_are_logged_without_names_and_hashes(
    app: Flask, caplog: pytest.LogCaptureFixture, change: Callable[[], object], event_name: str
) -> None:
    caplog.set_level("INFO")
    with app.app_context():
        change()
    record = caplog.records[-1]
    assert (record.message, record.user_id) == (event_name, 2)
    assert "canary" not in str(record.__dict__)
    assert "johndoe" not in str(record.__dict__)


def test_log_outs_are_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    api.post(LOGOUT, token=api.token_of("johndoe"))
    api.post(LOGOUT, token=api.token_of("johndoe"), everywhere="true")
    assert [(record.message, record.user_id) for record in caplog.records] == [
        ("audit.logged_out", 2),
        ("audit.logged_out", 2),
    ]
