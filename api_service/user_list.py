"""Reading the users table for those who look after it: one user, all of them by name, or a page of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, func, select

from api_service.database import reading
from api_service.models import MAX_USER_ID, Role, User

SUMMARY: Final = select(User.id, User.username, User.role, User.active, User.created_at)
_COUNT: Final = select(func.count()).select_from(User)


@dataclass(frozen=True, slots=True)
class UserSummary:
    """What is shown of a user."""

    id: int
    username: str
    role: Role
    active: bool
    created_at: datetime


def find_user(user_id: int) -> UserSummary | None:
    if user_id > MAX_USER_ID:
        return None
    with reading() as connection:
        row = connection.execute(SUMMARY.where(User.id == user_id)).one_or_none()
    return UserSummary(*row) if row else None


def list_users() -> list[UserSummary]:
    """All users by name."""
    with reading() as connection:
        return [UserSummary(*row) for row in connection.execute(SUMMARY.order_by(User.username))]


def page_of_users(limit: int, before: int | None = None) -> tuple[Sequence[RowMapping], int]:
    """The `limit` users with the largest ids below `before`, the largest first; and how many users there are."""
    query = SUMMARY.order_by(User.id.desc()).limit(limit)
    if before is not None and before <= MAX_USER_ID:
        query = query.where(User.id < before)
    with reading() as connection:
        return connection.execute(query).mappings().all(), connection.scalar(_COUNT) or 0
