import hashlib
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from api_service import users
from api_service.auth import throttle
from api_service.auth.throttle import Attempt, TooManyAttemptsError
from api_service.database import DatabaseUnavailableError, reading, writing
from api_service.models import LoginThrottle
from api_service.tests.helpers import Action, Api, CountingHasher, ExpectProblem, HandSetClock, HoldLock
from service_kit import time_budget

pytestmark = pytest.mark.usefixtures("hand_set_clock", "quick_hasher")


@pytest.fixture
def rows(app: Flask) -> Action:
    def read() -> list[tuple[object, ...]]:
        with app.app_context(), reading() as connection:
            columns = (LoginThrottle.address, LoginThrottle.account_key, LoginThrottle.failures)
            return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns))]

    return read


def fail(api: Api, times: int, username: str = "johndoe", address: str = "127.0.0.1") -> None:
    for _ in range(times):
        assert api.log_in(username, "wrong", address).status_code == 401


def fill_address(api: Api, address: str = "127.0.0.1", times: int = 50) -> None:
    for n in range(times):
        fail(api, 1, f"nobody{n}", address)


def retry_after(response: TestResponse) -> int:
    assert response.status_code == 429
    return int(response.headers["Retry-After"])


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (12, 128), (13, 256), (14, 300), (15, 300), (10**9, 300)],
)
def test_waits_double_from_a_second_to_five_minutes(failures: int, seconds: int) -> None:
    assert throttle.wait_after(failures, free=5) == timedelta(seconds=seconds)


@pytest.mark.parametrize("username", ["johndoe", "nobody", "jane"])
def test_after_five_failures_everybody_waits_ever_longer_unhashed(
    app: Flask,
    api: Api,
    hand_set_clock: HandSetClock,
    quick_hasher: CountingHasher,
    expect_problem: ExpectProblem,
    username: str,
) -> None:
    with app.app_context():
        users.deactivate_user("jane")
    fail(api, 5, username)
    assert quick_hasher.work == 5
    for turn, wait in enumerate([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300], start=1):
        response = api.log_in(username, "wrong")
        expect_problem(response, 429, "too-many-logins")
        assert retry_after(response) == wait
        hand_set_clock.move(wait - 0.001)
        assert retry_after(api.log_in(username, "wrong")) == 1
        assert quick_hasher.work == 4 + turn
        hand_set_clock.move(0.001)
        fail(api, 1, username)


def test_the_right_password_waits_too_and_then_gets_in_at_once(api: Api, hand_set_clock: HandSetClock) -> None:
    fail(api, 5)
    assert retry_after(api.log_in("johndoe", "john")) == 1
    hand_set_clock.move(1)
    assert api.log_in("johndoe", "john").status_code == 200
    fail(api, 5)


def test_another_address_and_another_account_do_not_wait(api: Api) -> None:
    fail(api, 5)
    assert retry_after(api.log_in("johndoe", "john")) == 1
    assert api.log_in("johndoe", "john", address="192.0.2.1").status_code == 200
    assert api.log_in("jane", "jane").status_code == 200


def test_names_that_differ_in_case_are_two_accounts(api: Api, rows: Action) -> None:
    """Were they one, the owner of `JOHNDOE` could clear the count of `johndoe`."""
    fail(api, 5)
    fail(api, 1, "JOHNDOE")
    assert sorted(failures for *_, failures in rows()) == [1, 5, 6]


def test_success_takes_back_all_that_the_account_had_cost(api: Api, rows: Action) -> None:
    fail(api, 2, "nobody")
    before = rows()
    fail(api, 4)
    assert api.log_in("johndoe", "john").status_code == 200
    assert rows() == before


def test_success_of_one_account_forgives_the_address_nothing_of_the_others(api: Api) -> None:
    fill_address(api, times=25)
    assert api.log_in("johndoe", "john").status_code == 200
    fill_address(api, times=25)
    assert retry_after(api.log_in("johndoe", "john")) == 1


def test_an_address_that_fails_fifty_times_waits_whatever_the_account(
    api: Api, hand_set_clock: HandSetClock, quick_hasher: CountingHasher
) -> None:
    fill_address(api)
    assert retry_after(api.log_in("johndoe", "john")) == 1
    assert quick_hasher.work == 50
    assert api.log_in("johndoe", "john", address="192.0.2.1").status_code == 200
    hand_set_clock.move(1)
    fail(api, 1, "another")
    assert retry_after(api.log_in("johndoe", "john")) == 2


def test_a_success_lets_the_next_one_of_the_address_in_at_once(api: Api, hand_set_clock: HandSetClock) -> None:
    fill_address(api)
    hand_set_clock.move(1)
    for name, password in (("johndoe", "john"), ("jane", "jane"), ("admin", "admin")):
        assert api.log_in(name, password).status_code == 200
    fail(api, 1)
    assert retry_after(api.log_in("jane", "jane")) == 2


def test_a_success_does_not_end_a_wait_that_others_caused_meanwhile(
    app: Flask, api: Api, hand_set_clock: HandSetClock
) -> None:
    fill_address(api)
    hand_set_clock.move(1)
    with app.test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        slow = throttle._begin("johndoe", 1)
        hand_set_clock.move(2)
        fail(api, 1, "another")
        with writing() as connection:
            slow.succeeded(connection)
    assert retry_after(api.log_in("jane", "jane")) == 2  # for the 51 failures that are theirs
    hand_set_clock.move(2)
    assert api.log_in("jane", "jane").status_code == 200


def test_a_quarter_of_an_hour_without_failures_starts_anew(api: Api, hand_set_clock: HandSetClock) -> None:
    fail(api, 5)
    hand_set_clock.move(1 + 15 * 60 - 0.001)
    fail(api, 1)
    assert retry_after(api.log_in("johndoe", "john")) == 2
    hand_set_clock.move(2 + 15 * 60)
    fail(api, 5)
    assert retry_after(api.log_in("johndoe", "john")) == 1


def test_being_refused_costs_and_counts_nothing(api: Api, rows: Action, hand_set_clock: HandSetClock) -> None:
    fail(api, 5)
    before = rows()
    for _ in range(10):
        assert retry_after(api.log_in("johndoe", "john")) == 1
    assert rows() == before
    hand_set_clock.move(1)
    assert api.log_in("johndoe", "john").status_code == 200


def test_a_clock_that_is_set_back_locks_nobody_out(api: Api, hand_set_clock: HandSetClock) -> None:
    fail(api, 5)
    hand_set_clock.move(-86_400)
    assert api.log_in("johndoe", "john").status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::2%a name longer than any address", "fe80::/64"),
        ("192.0.2.7:41000", "192.0.2.7:41001", "192.0.2.7"),
        ("[2001:db8::1]:443", "[2001:db8::2]", "2001:db8::/64"),
        ("", "no address", "unknown"),
    ],
)
def test_addresses_that_are_one_network_are_one(api: Api, rows: Action, first: str, second: str, key: str) -> None:
    fail(api, 5, address=first)
    assert retry_after(api.log_in("johndoe", "john", second)) == 1
    assert {address for address, *_ in rows()} == {key}


def test_networks_are_told_apart(api: Api) -> None:
    fail(api, 5, address="2001:db8:1:2::1")
    assert api.log_in("johndoe", "john", "2001:db8:1:3::1").status_code == 200


def test_the_table_holds_no_names(api: Api, rows: Action) -> None:
    fail(api, 1, "my pass phrase")
    key = hashlib.sha256(b"my pass phrase").hexdigest()
    assert rows() == [("127.0.0.1", "", 1), ("127.0.0.1", key, 1)]


def test_rows_that_mean_nothing_any_more_are_deleted(api: Api, rows: Action, hand_set_clock: HandSetClock) -> None:
    fail(api, 1, "nobody", "192.0.2.1")
    hand_set_clock.move(15 * 60 - 0.001)
    fail(api, 1, "nobody", "192.0.2.2")
    assert {address for address, *_ in rows()} == {"192.0.2.1", "192.0.2.2"}
    hand_set_clock.move(0.001)
    fail(api, 1, "nobody", "192.0.2.3")
    assert {address for address, *_ in rows()} == {"192.0.2.2", "192.0.2.3"}


def succeed_and_fail_to_save(attempt: Attempt) -> None:
    with writing() as connection:
        attempt.succeeded(connection)
        connection.execute(text("no statement"))


def test_an_attempt_without_an_outcome_has_failed(app: Flask, api: Api) -> None:
    """The process was killed while it hashed, or what the password was for could not be saved."""
    with app.test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        for _ in range(4):
            throttle._begin("johndoe", 1)
        attempt = throttle._begin("johndoe", 1)
        with pytest.raises(DatabaseUnavailableError):
            succeed_and_fail_to_save(attempt)
        with pytest.raises(TooManyAttemptsError) as refused:
            throttle._begin("johndoe", 1)
    assert refused.value.retry_after == 1


def test_a_locked_database_lets_nobody_try(
    api: Api, quick_hasher: CountingHasher, locked_database: HoldLock, expect_problem: ExpectProblem
) -> None:
    with locked_database():
        expect_problem(api.log_in("johndoe", "john"), 503, "database-unavailable")
    assert quick_hasher.work == 0


def test_a_log_in_gives_up_its_place_in_time(
    api: Api, monkeypatch: pytest.MonkeyPatch, quick_hasher: CountingHasher, expect_problem: ExpectProblem
) -> None:
    monkeypatch.setattr(time_budget, "LOGIN_TURN", 0.01)
    with throttle._turns, throttle._turns:
        expect_problem(api.log_in("johndoe", "john"), 503, "overloaded")
    assert quick_hasher.work == 0
    assert api.log_in("johndoe", "john").status_code == 200
