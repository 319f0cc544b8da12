"""The users table: who logs in, who is asking, and who may do what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from api_service import audit
from api_service.audit import AuditEvent
from api_service.database import insert_into, reading, writing
from api_service.models import MAX_USERNAME_LENGTH, Role, User
from api_service.user_list import SUMMARY, UserSummary

_USERNAME: Final = re.compile(r"[\w.@+-]+")

_CREDENTIALS: Final = select(User.id, User.username, User.password_hash, User.active, User.token_version).where(
    User.username == bindparam("username")
)
_END_TOKENS: Final = {"token_version": User.token_version + 1}


class UserError(Exception):
    """A change that cannot be made; the text says why, for people."""


class UserExistsError(UserError):
    """The name is taken."""


class UnknownUserError(UserError):
    """Nobody has that name or id."""


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
class Changes:
    """What is to be different about a user; None leaves it as it is."""

    active: bool | None = None
    role: Role | None = None
    password_hash: str | None = field(default=None, repr=False)


def is_valid_username(text: str) -> bool:
    """Tell whether `text` can be a new user's name: 1 to 64 letters, digits and `. _ @ + -`."""
    return len(text) <= MAX_USERNAME_LENGTH and _USERNAME.fullmatch(text) is not None


def find_credentials(username: str) -> Credentials | None:
    with reading() as connection:
        row = connection.execute(_CREDENTIALS, {"username": username}).one_or_none()
    return Credentials(*row) if row else None


def id_of(username: str) -> int:
    """:raises UnknownUserError: there is no such user."""
    credentials = find_credentials(username)
    if credentials is None:
        raise UnknownUserError(f"There is no user {username}.")
    return credentials.user_id


def add_user(username: str, password_hash: str, role: Role, *, by: int | None = None) -> UserSummary:
    """Add an active user; `by` is the id of the super user who asked for it.

    :raises UserExistsError: the name is taken; that user is left as it is.
    """
    user: dict[str, Any] = {"username": username, "role": role, "active": True, "created_at": datetime.now(UTC)}
    with writing() as connection:
        insert = insert_into(User, connection.dialect.name).on_conflict_do_nothing(index_elements=[User.username])
        user_id = connection.scalar(insert.returning(User.id), user | {"password_hash": password_hash})
        if user_id is None:
            raise UserExistsError(f"User {username} exists already.")
        audit.record(connection, AuditEvent.USER_ADDED, user_id, role=role.value, **_actor(by))
    return UserSummary(id=user_id, **user)


def change_user(who: int | str, changes: Changes, *, by: int | None = None) -> UserSummary:
    """Change the user with that id or name, all of it or nothing, and return what became of them.

    What is so already is no change. Each change is recorded by itself, as one of the super user `by`. All but letting
    somebody in again ends the user's tokens, so that nobody works on with what they no longer have.

    :raises UnknownUserError: there is no such user.
    :raises LastAdminError: it is the last active super user, and would no longer be one.
    """
    with writing() as connection:
        if changes.active is False or changes.role not in (None, Role.ADMIN):
            _keep_an_admin(connection, who)
        user = _lock(connection, who)
        values = {each.name: getattr(changes, each.name) for each in fields(changes)}
        values = {name: value for name, value in values.items() if value not in (None, getattr(user, name, None))}
        if not values:
            return user
        ending = {} if values == {"active": True} else _END_TOKENS
        connection.execute(update(User).where(User.id == user.id).values(**values, **ending))
        for event, detail in _events(values):
            audit.record(connection, event, user.id, **detail, **_actor(by))
    values.pop("password_hash", None)
    return replace(user, **values)


def set_password_hash(username: str, password_hash: str) -> None:
    """Give a user a new password, which ends all their tokens; it raises what `change_user` raises."""
    change_user(username, Changes(password_hash=password_hash))


def set_role(username: str, role: Role) -> None:
    """Say what a user may do; it raises what `change_user` raises."""
    change_user(username, Changes(role=role))


def deactivate_user(username: str) -> None:
    """End a user's access, from the next request on; it raises what `change_user` raises."""
    change_user(username, Changes(active=False))


def activate_user(username: str) -> None:
    """Let a user log in again; tokens of before stay ended. It raises what `change_user` raises."""
    change_user(username, Changes(active=True))


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


def _lock(connection: Connection, who: int | str) -> UserSummary:
    """The user, whom nobody else changes before this transaction ends; histories that name the user go on growing."""
    row = connection.execute(SUMMARY.where(_is(who)).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise UnknownUserError(f"There is no user {who}.")
    return UserSummary(*row)


def _is(who: int | str) -> ColumnElement[bool]:
    return User.username == who if isinstance(who, str) else User.id == who


def _events(values: dict[str, Any]) -> Iterator[tuple[AuditEvent, dict[str, str]]]:
    if "active" in values:
        yield AuditEvent.USER_ACTIVATED if values["active"] else AuditEvent.USER_DEACTIVATED, {}
    if "role" in values:
        yield AuditEvent.ROLE_CHANGED, {"role": values["role"].value}
    if "password_hash" in values:
        yield AuditEvent.PASSWORD_CHANGED, {}


def _actor(by: int | None) -> dict[str, int]:
    return {} if by is None else {"by": by}


def _keep_an_admin(connection: Connection, who: int | str) -> None:
    """Refuse what would leave no active super user.

    Their rows stay locked until the commit, so that two super users who take each other's role at the same time cannot
    both succeed.
    """
    is_admin = (User.role == Role.ADMIN, User.active)
    query = select(User.id, User.username).where(*is_admin).order_by(User.id).with_for_update(key_share=True)
    admins = connection.execute(query).all()
    if len(admins) == 1 and who in admins[0]:  # as its id or as its name
        raise LastAdminError(f"{admins[0].username} is the last active super user; make another one first.")
