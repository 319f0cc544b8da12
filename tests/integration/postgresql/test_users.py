"""Names are given once, and one super user stays."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from api_service import user_list, users
from api_service.database import writing
from api_service.models import Role
from tests.callers import callers


def test_a_name_that_is_taken_is_told(app: Flask) -> None:
    with app.app_context(), pytest.raises(users.UserExistsError):
        users.add_user("johndoe", "other", Role.ADMIN)


def test_a_number_that_is_no_id_of_the_table_finds_nobody(app: Flask) -> None:
    with app.app_context():
        assert user_list.find_user(2**31) is None
        for before in (2**31 - 1, 2**31, 10**18 - 1):
            assert [user["username"] for user in user_list.page_of_users(1, before)[0]] == ["johndoe"]


@pytest.mark.parametrize(
    "take", [users.deactivate_user, lambda name: users.set_role(name, Role.USER)], ids=["access", "role"]
)
def test_of_two_super_users_who_end_each_others_rights_one_stays(app: Flask, take: Callable[[str], None]) -> None:
    """Without the row locks both would count two, and both would succeed."""
    start, refused = threading.Barrier(2, timeout=5), []

    def end_rights_of(name: str) -> None:
        with app.app_context():
            start.wait()
            try:
                take(name)
            except users.LastAdminError:
                refused.append(name)

    for turn in range(5):
        names = [f"a{turn}", f"b{turn}"]
        with app.app_context():
            for name in names:
                users.add_user(name, "hash", Role.ADMIN)
        with callers(2) as pool:
            list(pool.map(end_rights_of, names))
        assert len(refused) == 1
        with app.app_context(), writing() as connection:
            connection.execute(text("UPDATE users SET active = false"))
        refused.clear()
