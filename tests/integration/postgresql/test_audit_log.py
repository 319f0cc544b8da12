"""The audit log only grows, is pruned by the documented way alone, and is read by pages."""

import psycopg
import pytest
from flask import Flask

from api_service import users
from api_service.models import Role
from api_service.tests.helpers import Api, documented_sql


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_log SET user_id = NULL",
        "DELETE FROM audit_log WHERE id = 1",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET event = 'forged'",
        "WITH gone AS (DELETE FROM audit_log RETURNING *) SELECT * FROM gone",
    ],
)
def test_the_database_refuses_to_change_what_is_on_record(app: Flask, other: psycopg.Connection, change: str) -> None:
    before = other.execute("SELECT * FROM audit_log").fetchall()
    assert before
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        other.execute(change)
    assert other.execute("SELECT * FROM audit_log").fetchall() == before


def test_the_audit_log_is_pruned_as_documented(app: Flask, other: psycopg.Connection) -> None:
    other.execute(documented_sql("PostgreSQL").replace("2026-01-01", "9999-01-01"))
    assert other.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
    with app.app_context():
        users.set_password_hash("johndoe", "other")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        other.execute("DELETE FROM audit_log")


def test_the_audit_log_is_read_by_pages_with_any_numbers_that_are_allowed(app: Flask, api: Api) -> None:
    with app.app_context():
        users.add_user("admin", "hash", Role.ADMIN)
    largest = {"before": 10**18 - 1, "user_id": 2**31 - 1, "limit": 1000}
    assert api.get("/api/v1/audit", by="admin", **largest).get_json() == []
    response = api.get("/api/v1/audit", by="admin", limit=2)
    assert [entry["event"] for entry in response.get_json()] == ["admin_read", "user_added"]
    following = api.get(response.headers["Link"].split(">")[0][1:], by="admin")
    assert [entry["username"] for entry in following.get_json()] == ["johndoe"]
