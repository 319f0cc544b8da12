"""Checking a user name and password: the same work and the same answer, whatever is wrong with them.

Every password that a caller sends comes through here, at the log-in and at the change of one's own, so here is the
place to count failures.
"""

from api_service import audit, metrics, users
from api_service.audit import AuditEvent
from api_service.auth import throttle
from api_service.auth.passwords import Passwords
from api_service.auth.throttle import Attempt, TooManyAttemptsError
from api_service.database import writing


def authenticate(passwords: Passwords, username: str, password: str) -> users.Credentials | None:
    """The active user with that name and password; None when there is none.

    :raises TooManyAttemptsError: too many were wrong; this one was not looked at.
    :raises Problem: 503, too many are being checked at once.
    :raises DatabaseUnavailableError: nobody can say.
    """
    try:
        return _authenticated(passwords, username, password)
    except TooManyAttemptsError:
        metrics.LOGINS.labels("throttled").inc()
        raise


def _authenticated(passwords: Passwords, username: str, password: str) -> users.Credentials | None:
    stored = users.find_credentials(username)
    with throttle.attempt(username, stored.user_id if stored else None) as attempt:
        matches = passwords.verify(stored.password_hash if stored else None, password)
        if stored is None or not matches or not stored.active:
            _record_failure(stored, matches=matches)
            return None
        _let_in(passwords, stored, password, attempt)
        return stored


def confirm_password(passwords: Passwords, user: users.CurrentUser, password: str) -> bool:
    """Tell whether `password` is that of a user who is logged in.

    :raises TooManyAttemptsError: too many were wrong; this one was not looked at.
    :raises Problem: 503, too many are being checked at once.
    :raises DatabaseUnavailableError: nobody can say.
    """
    stored = users.find_credentials(user.username)
    with throttle.attempt(user.username, user.id) as attempt:
        matches = passwords.verify(stored.password_hash if stored else None, password)
        with writing() as connection:
            if matches:
                attempt.succeeded(connection)
            else:
                audit.record(connection, AuditEvent.PASSWORD_NOT_CONFIRMED, user.id)
        return matches


def _record_failure(stored: users.Credentials | None, *, matches: bool) -> None:
    user_id = stored.user_id if stored else None  # not the name: people type their password into the wrong field
    reason = "unknown-user" if stored is None else "inactive" if matches else "wrong-password"
    with writing() as connection:
        audit.record(connection, AuditEvent.LOGIN_FAILED, user_id, reason=reason)
    metrics.LOGINS.labels(reason).inc()


def _let_in(passwords: Passwords, stored: users.Credentials, password: str, attempt: Attempt) -> None:
    outdated = passwords.needs_rehash(stored.password_hash)
    rehashed = passwords.hash(password) if outdated else None  # before the transaction: it takes its time
    with writing() as connection:
        attempt.succeeded(connection)
        if rehashed:
            users.replace_hash(connection, stored, rehashed)
        audit.record(connection, AuditEvent.LOGIN_SUCCEEDED, stored.user_id)
    metrics.LOGINS.labels("succeeded").inc()
