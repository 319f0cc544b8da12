"""The login throttle: who guesses passwords waits ever longer, however many processes serve, and nobody is locked out.

Failures are counted for an account from an address, and for an address whatever the account. The count is raised
before a password is checked, in one transaction that locks both rows, so that guesses at the same time cannot share
the last free try. What succeeds gives its count back: the account's row goes, and the address is forgiven what that
account had cost it. The address keeps the rest, or an attacker with one account would wipe the slate at will.

    with throttle.attempt(username, user_id) as attempt:    # raises TooManyAttemptsError: do not hash
        if the password is right:
            with writing() as connection:
                attempt.succeeded(connection)               # in the transaction of whatever the password was for

Counting first would refuse who logs in several times at once with the right password. So few attempts of a process are
under way at a time, fewer than are free, and the others wait for their turn; hashes have to queue anyway.
"""

import hashlib
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, select, tuple_, update
from sqlalchemy.sql.dml import ReturningInsert

from api_service import audit, clock
from api_service.audit import AuditEvent
from api_service.client_address import client_network
from api_service.database import insert_into, writing
from api_service.models import LoginThrottle
from service_kit import time_budget
from service_kit.problems import Problem

FREE_FAILURES: Final = 5
"""Of one account from one address. Five, then a second, then twice as long each time is also the rule of Amazon
Cognito (https://docs.aws.amazon.com/cognito/latest/developerguide/authentication.html)."""

FREE_FAILURES_OF_ADDRESS: Final = 50
"""Whatever the accounts: an office behind one address mistypes a name or two, a list of stolen passwords is longer."""

FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=5)
"""Waits, never locks: a lock is a weapon against the account's owner
(https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html#login-throttling)."""

FORGOTTEN_AFTER: Final = timedelta(minutes=15)
"""Without a failure, counted from the end of the last wait. At best, eleven guesses in seventeen minutes."""

_EVERY_ACCOUNT: Final = ""
_PURGED_AT_ONCE: Final = 100

_AT_ONCE: Final = 2
"""In each process, as many as hashes; two processes together stay below what is free to who has not failed before."""
_turns: Final = threading.BoundedSemaphore(_AT_ONCE)


class TooManyAttemptsError(Exception):
    """The password must not be checked now; `retry_after` is in whole seconds, 1 or more."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"wait {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Count:
    """A row of the throttle, locked by the transaction that read it."""

    address: str
    account_key: str
    failures: int
    waits_until: datetime
    refusal_recorded: bool

    @property
    def itself(self) -> ColumnElement[bool]:
        return and_(LoginThrottle.address == self.address, LoginThrottle.account_key == self.account_key)

    def wait(self, now: datetime) -> timedelta:
        """What is left of the wait. More than the longest wait is a clock that was set back: nothing is left.

        The clock that set the end may be that of another host, and a little ahead: who may try at once need not wait
        for it, and nobody waits longer than what the failures cost.
        """
        left = self.waits_until - now
        return min(left, self.cost) if timedelta() < left <= LONGEST_WAIT else timedelta()

    @property
    def cost(self) -> timedelta:
        return wait_after(self.failures, FREE_FAILURES if self.account_key else FREE_FAILURES_OF_ADDRESS)

    def with_a_failure(self, now: datetime) -> "_Count":
        failures = 1 if now >= self.waits_until + FORGOTTEN_AFTER else self.failures + 1
        failed = replace(self, failures=failures, refusal_recorded=False)
        return replace(failed, waits_until=now + failed.cost)

    def forgiven(self, failures: int) -> "_Count":
        """Without so many of its failures. The wait is that of the others, from the last failure on."""
        fewer = replace(self, failures=max(self.failures - failures, 0))
        return replace(fewer, waits_until=self.waits_until - self.cost + fewer.cost)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One password that may be checked. It counts as failed unless `succeeded` is called and committed."""

    account: _Count
    before: _Count
    """The address's row without this attempt, and with it:"""
    after: _Count

    def succeeded(self, connection: Connection) -> None:
        """Take back what the throttle counted for this account from this address.

        :raises DatabaseUnavailableError: from the caller's `writing()`; then it still counts as failed.
        """
        # The address first, as in `_begin`: in another order two of them could wait for each other.
        of_address = _lock(connection, self.after.address, _EVERY_ACCOUNT)
        cost = connection.scalar(delete(LoginThrottle).where(self.account.itself).returning(LoginThrottle.failures))
        forgiven = of_address.forgiven(cost or 0)
        # As if it had not been, unless others have failed since.
        untouched = of_address.waits_until == self.after.waits_until
        _save(connection, replace(forgiven, waits_until=self.before.waits_until) if untouched else forgiven)


@contextmanager
def attempt(username: str, user_id: int | None) -> Iterator[Attempt]:
    """Count one more attempt for the account of that name, from the address of this request. Not inside `writing()`.

    `user_id`, when the name belongs to somebody, is for the audit log, which hears of the first refusal in each wait.

    :raises TooManyAttemptsError: the account or the address has to wait; nothing was counted.
    :raises Problem: 503, it is not this one's turn within `LOGIN_TURN`; nothing was counted.
    :raises DatabaseUnavailableError: nobody can say.
    """
    if not _turns.acquire(timeout=time_budget.LOGIN_TURN):
        detail = "Too many log-ins are being checked at once. Try again in a moment."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", detail, headers={"Retry-After": "1"})
    try:
        yield _begin(username, user_id)
    finally:
        _turns.release()


def _begin(username: str, user_id: int | None) -> Attempt:
    address, account_key = client_network(), _account_key(username)
    with writing() as connection:
        of_address = _lock(connection, address, _EVERY_ACCOUNT)
        of_account = _lock(connection, address, account_key)
        now = clock.utc_now()  # not earlier: who held the rows until now has read the clock too
        waiting = [count for count in (of_address, of_account) if count.wait(now)]
        if not waiting:
            attempt = Attempt(of_account.with_a_failure(now), of_address, of_address.with_a_failure(now))
            for count in (attempt.after, attempt.account):
                _save(connection, count)
            _purge(connection, now)
            return attempt
        refusal = TooManyAttemptsError(max(math.ceil(count.wait(now).total_seconds()) for count in waiting))
        if all(count.refusal_recorded for count in waiting):
            raise refusal  # and roll back: being refused costs no write
        _record_refusal(connection, waiting, user_id, refusal)
    raise refusal


def wait_after(failures: int, free: int) -> timedelta:
    """How long nobody may try after so many failures: nothing at first, then ever longer up to `LONGEST_WAIT`."""
    if failures < free:
        return timedelta()
    doublings: int = min(failures - free, 32)  # far beyond the longest wait, and no number too large for a time
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _account_key(username: str) -> str:
    """No name in the table: people type their password into the wrong field.

    Exactly the name that is looked up: were `Jane` and `jane` one key, then one of them could clear the other's count.
    """
    return hashlib.sha256(username.encode()).hexdigest()


def _lock(connection: Connection, address: str, account_key: str) -> _Count:
    """The row of that key, made when there is none, so that nobody else reads it before this transaction ends."""
    row = {
        "address": address,
        "account_key": account_key,
        "failures": 0,
        "waits_until": clock.utc_now(),
        "refusal_recorded": False,
    }
    return _Count(*connection.execute(_upsert(connection.dialect.name), row).one())


@cache
def _upsert(dialect: str) -> ReturningInsert[str, str, int, datetime, bool]:
    """Changes nothing in a row that exists; but what changes a row locks it."""
    return (
        insert_into(LoginThrottle, dialect)
        .on_conflict_do_update(
            index_elements=[LoginThrottle.address, LoginThrottle.account_key],
            set_={"failures": LoginThrottle.failures},
        )
        .returning(
            LoginThrottle.address,
            LoginThrottle.account_key,
            LoginThrottle.failures,
            LoginThrottle.waits_until,
            LoginThrottle.refusal_recorded,
        )
    )


def _save(connection: Connection, count: _Count) -> None:
    connection.execute(
        update(LoginThrottle)
        .where(count.itself)
        .values(failures=count.failures, waits_until=count.waits_until, refusal_recorded=count.refusal_recorded)
    )


def _record_refusal(
    connection: Connection, waiting: list[_Count], user_id: int | None, refusal: TooManyAttemptsError
) -> None:
    for count in waiting:
        connection.execute(update(LoginThrottle).where(count.itself).values(refusal_recorded=True))
    what = "account" if any(count.account_key for count in waiting) else "address"
    audit.record(connection, AuditEvent.LOGIN_THROTTLED, user_id, waits=what, seconds=refusal.retry_after)


def _purge(connection: Connection, now: datetime) -> None:
    """Delete some rows that mean nothing any more. Locked ones are left: waiting for them could end in a circle."""
    key = (LoginThrottle.address, LoginThrottle.account_key)
    old = (
        select(*key)
        .where(LoginThrottle.waits_until <= now - FORGOTTEN_AFTER)
        .limit(_PURGED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(LoginThrottle).where(tuple_(*key).in_(old)))
