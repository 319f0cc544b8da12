"""Checking a user name and password: the same work and the same answer, whatever is wrong with them."""

import logging

from api_service import users
from api_service.auth.passwords import Passwords
from api_service.database import DatabaseUnavailableError

_log = logging.getLogger(__name__)


def authenticate(passwords: Passwords, username: str, password: str) -> int | None:
    """The id of the active user with that name and password; None when there is none.

    :raises DatabaseUnavailableError: nobody can say.
    """
    stored = users.find_credentials(username)
    matches = passwords.verify(stored.password_hash if stored else None, password)
    if stored is None or not matches or not stored.active:
        # Not the name: people type their password into the wrong field.
        _log.warning("auth.login_failed", extra={"user_id": stored.user_id if stored else None})
        return None
    if passwords.needs_rehash(stored.password_hash):
        _rehash(passwords, stored, password)
    _log.info("auth.login_succeeded", extra={"user_id": stored.user_id})
    return stored.user_id


def _rehash(passwords: Passwords, stored: users.Credentials, password: str) -> None:
    try:
        users.set_password_hash(stored.username, passwords.hash(password))
    except DatabaseUnavailableError:
        # The log-in is right all the same, and the next one tries again.
        _log.warning("auth.rehash_failed", extra={"user_id": stored.user_id})
