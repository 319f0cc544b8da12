"""Tokens are used once, purged when they have expired, and bounded by the columns."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import jwt
from flask import Flask
from sqlalchemy import insert

from api_service.database import writing
from api_service.models import RevokedToken
from api_service.tests.helpers import Api
from tests.callers import callers


def test_of_many_uses_of_a_refresh_token_at_the_same_time_exactly_one_wins(app: Flask, api: Api) -> None:
    """The others wait for its commit, and then find the token used; entries to purge keep nobody waiting."""
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with app.app_context(), writing() as connection:
        connection.execute(insert(RevokedToken), [{"id": f"old-{n}", "expires_at": long_ago} for n in range(1000)])
    for _ in range(5):
        pair, start = api.pair_of("johndoe"), threading.Barrier(6, timeout=5)

        def use(token: str, start: threading.Barrier = start) -> int:
            client = app.test_client()
            start.wait()
            return client.post("/api/v1/refresh", headers={"Authorization": f"Bearer {token}"}).status_code

        with callers(6) as pool:
            assert Counter(pool.map(use, [pair.refresh_token] * 6)) == {200: 1, 401: 5}
        assert api.get("/api/v1/users/history", token=pair.token).status_code == 401


def test_expired_entries_are_purged(app: Flask, api: Api) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with app.app_context(), writing() as connection:
        connection.execute(insert(RevokedToken), [{"id": f"old-{n}", "expires_at": long_ago} for n in range(150)])
    for left in (51, 2):
        assert api.post("/api/v1/logout", token=api.token_of("johndoe")).status_code == 204
        assert api.rows(RevokedToken) == left


def test_a_token_with_numbers_beyond_the_columns_is_refused_and_no_outage(app: Flask, api: Api) -> None:
    claims = jwt.decode(api.token_of("johndoe"), options={"verify_signature": False})
    for wrong in ({"tv": 2**31}, {"sub": str(2**31)}, {"sub": "9" * 10}):
        token = jwt.encode(claims | wrong, app.config["JWT_SECRET_KEY"])
        assert api.get("/api/v1/users/history", token=token).status_code == 401
    for largest in ({"tv": 2**31 - 1}, {"sub": str(2**31 - 1)}):
        token = jwt.encode(claims | largest, app.config["JWT_SECRET_KEY"])
        assert api.get("/api/v1/users/history", token=token).status_code == 401
