"""The users table: who logs in, who is asking, and who may do what."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from api_service import audit
from api_service.audit import AuditEvent
from api_service.database import insert_into, reading, writing
from api_service.models import MAX_USERNAME_LENGTH, Role, User

_USERNAME: Final = re.compile(r"[\w.@+-]+")

_CREDENTIALS: Final = select(User.id, User.username, User.password_hash, User.active, User.token_version).where(
    User.username == bindparam("username")
)
_ALL: Final = select(User.username, User.role, User.active, User.created_at).order_by(User.username)
_END_TOKENS: Final = {"token_version": User.token_version + 1}


class UserError(Exception):
    """A change that cannot be made; the text says why, for people."""


class UserExistsError(UserError):
    """The name is taken."""


class UnknownUserError(UserError):
    """Nobody has that name."""


class LastAdminError(UserError):
    """The change would leave nobody who can administer."""


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Who is asking."""

    id: int
    username: str
    role: Role


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a log-in is checked against."""

    user_id: int
    username: str
    password_hash: str
    active: bool
    token_version: int


@dataclass(frozen=True, slots=True)
class UserSummary:
    """One line of the list of users."""

    username: str
    role: Role
    active: bool
    created_at: datetime


def is_valid_username(text: str) -> bool:
    """Tell whether `text` can be a new user's name: 1 to 64 letters, digits and `. _ @ + -`."""
    return len(text) <= MAX_USERNAME_LENGTH and _USERNAME.fullmatch(text) is not None


def find_credentials(username: str) -> Credentials | None:
    with reading() as connection:
        row = connection.execute(_CREDENTIALS, {"username": username}).one_or_none()
    return Credentials(*row) if row else None


def list_users() -> list[UserSummary]:
    """All users by name."""
    with reading() as connection:
        return [UserSummary(*row) for row in connection.execute(_ALL)]


def add_user(username: str, password_hash: str, role: Role) -> None:
    """:raises UserExistsError: the name is taken; that user is left as it is."""
    user = {
        "username": username,
        "password_hash": password_hash,
        "role": role,
        "active": True,
        "created_at": datetime.now(UTC),
    }
    with writing() as connection:
        insert = insert_into(User, connection.dialect.name).on_conflict_do_nothing(index_elements=[User.username])
        user_id = connection.scalar(insert.returning(User.id), user)
        if user_id is None:
            raise UserExistsError(f"User {username} exists already.")
        audit.record(connection, AuditEvent.USER_ADDED, user_id, role=role.value)


def set_password_hash(username: str, password_hash: str) -> None:
    """Give a user a new password, which ends all their tokens.

    :raises UnknownUserError: nobody has that name.
    """
    with writing() as connection:
        user_id = _change(connection, username, password_hash=password_hash, **_END_TOKENS)
        audit.record(connection, AuditEvent.PASSWORD_CHANGED, user_id)


def change_own_password(user_id: int, token_version: int, password_hash: str) -> bool:
    """Give a user a new password, which ends all their tokens; false when those of `token_version` have ended already.

    So a password that was checked before another change cannot undo that change.
    """
    change = (
        update(User)
        .where(User.id == user_id, User.active, User.token_version == token_version)
        .values(password_hash=password_hash, **_END_TOKENS)
    )
    with writing() as connection:
        changed = bool(connection.execute(change).rowcount)
        if changed:
            audit.record(connection, AuditEvent.PASSWORD_CHANGED, user_id)
    return changed


def replace_hash(connection: Connection, stored: Credentials, password_hash: str) -> None:
    """Keep the same password under a new hash, unless it was changed since `stored` was read; tokens go on."""
    same = (User.id == stored.user_id, User.password_hash == stored.password_hash)
    connection.execute(update(User).where(*same).values(password_hash=password_hash))


def end_all_tokens(user_id: int) -> None:
    """Log a user out everywhere."""
    with writing() as connection:
        connection.execute(update(User).where(User.id == user_id).values(_END_TOKENS))
        audit.record(connection, AuditEvent.LOGGED_OUT, user_id, everywhere="yes")


def set_role(username: str, role: Role) -> None:
    """Say what a user may do; their tokens end, so that nobody works on in a role they no longer have.

    :raises UnknownUserError: nobody has that name.
    :raises LastAdminError: it is the last active super user, and would no longer be one.
    """
    with writing() as connection:
        if role is not Role.ADMIN:
            _keep_an_admin(connection, username)
        user_id = _change(connection, username, role=role, **_END_TOKENS)
        audit.record(connection, AuditEvent.ROLE_CHANGED, user_id, role=role.value)


def deactivate_user(username: str) -> None:
    """End a user's access, from the next request on.

    :raises UnknownUserError: nobody has that name.
    :raises LastAdminError: it is the last active super user.
    """
    with writing() as connection:
        _keep_an_admin(connection, username)
        user_id = _change(connection, username, active=False, **_END_TOKENS)
        audit.record(connection, AuditEvent.USER_DEACTIVATED, user_id)


def activate_user(username: str) -> None:
    """Let a user log in again; tokens of before stay ended.

    :raises UnknownUserError: nobody has that name.
    """
    with writing() as connection:
        user_id = _change(connection, username, active=True)
        audit.record(connection, AuditEvent.USER_ACTIVATED, user_id)


def _change(connection: Connection, username: str, **values: Any) -> int:
    """The id of the user that was changed."""
    change = update(User).where(User.username == username).values(**values).returning(User.id)
    user_id: int | None = connection.scalar(change)
    if user_id is None:
        raise UnknownUserError(f"There is no user {username}.")
    return user_id


def _keep_an_admin(connection: Connection, username: str) -> None:
    """Refuse what would leave no active super user.

    Their rows stay locked until the commit, so that two super users who take each other's role at the same time cannot
    both succeed.
    """
    admins = select(User.username).where(User.role == Role.ADMIN, User.active).order_by(User.id).with_for_update()
    if connection.scalars(admins).all() == [username]:
        raise LastAdminError(f"{username} is the last active super user; make another one first.")
