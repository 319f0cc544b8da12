"""The users table: who logs in, who is asking, and who may do what."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, select, update

from api_service.database import insert_into, reading, writing
from api_service.models import MAX_USERNAME_LENGTH, Role, User

_USERNAME: Final = re.compile(r"[\w.@+-]+")

_CURRENT: Final = select(User.id, User.username, User.role).where(User.id == bindparam("user_id"), User.active)
_CREDENTIALS: Final = select(User.id, User.username, User.password_hash, User.active).where(
    User.username == bindparam("username")
)
_ALL: Final = select(User.username, User.role, User.active, User.created_at).order_by(User.username)


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


def load_current_user(user_id: int) -> CurrentUser | None:
    """The user of a token; None when there is none any more, or the account is not active."""
    with reading() as connection:
        row = connection.execute(_CURRENT, {"user_id": user_id}).one_or_none()
    return CurrentUser(*row) if row else None


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
        if not connection.execute(insert, user).rowcount:
            raise UserExistsError(f"User {username} exists already.")


def set_password_hash(username: str, password_hash: str) -> None:
    """:raises UnknownUserError: nobody has that name."""
    with writing() as connection:
        change = update(User).where(User.username == username).values(password_hash=password_hash)
        if not connection.execute(change).rowcount:
            raise _unknown(username)


def deactivate_user(username: str) -> None:
    """End a user's access, from the next request on.

    :raises UnknownUserError: nobody has that name.
    :raises LastAdminError: it is the last active super user.
    """
    with writing() as connection:
        # Locked, so that two super users who deactivate each other at the same time cannot both succeed.
        admins = select(User.username).where(User.role == Role.ADMIN, User.active).with_for_update()
        if connection.scalars(admins).all() == [username]:
            raise LastAdminError(f"{username} is the last active super user; make another one first.")
        if not connection.execute(update(User).where(User.username == username).values(active=False)).rowcount:
            raise _unknown(username)


def _unknown(username: str) -> UnknownUserError:
    return UnknownUserError(f"There is no user {username}.")
