"""The tables: users, ended tokens, the history, counts of stocks, named calls, failed log-ins, the audit log."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Final

from sqlalchemy import (
    BigInteger,
    Computed,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api_service.column_types import DigitsOf, ExactDecimal, UtcDateTime

MAX_USERNAME_LENGTH: Final = 64
MAX_IDEMPOTENCY_KEY_LENGTH: Final = 255
MAX_USER_ID: Final = 2**31 - 1
"""PostgreSQL refuses to compare the column with a larger number."""
MAX_ADDRESS_LENGTH: Final = 45
"""Characters of the longest IPv6 address as text, one with an IPv4 address at its end."""

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a later migration can change it on SQLite too."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {Decimal: ExactDecimal, datetime: UtcDateTime}


class Role(StrEnum):
    """What a user may do; read from the database on every request, never from a token."""

    ADMIN = "ADMIN"
    """A super user: may also see the statistics."""
    USER = "USER"


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(Enum(Role, name="role", native_enum=False, create_constraint=True, length=16))
    active: Mapped[bool]
    created_at: Mapped[datetime]
    token_version: Mapped[int] = mapped_column(server_default="0")
    """Stands in every token of the user; growing by one ends them all."""


class RevokedToken(Base):
    """A token (`jti`) or a whole log-in (`fam`) that ended early; at `expires_at` it would have ended anyway."""

    __tablename__ = "revoked_tokens"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class HistoryEntry(Base):
    """One quote as it was served to one user.

    `request_id` and `position` (0 for the first quote of a request) are unique together, so that saving the same
    answer twice leaves one row. The indexes are read backwards for "my latest first", all of it or of one symbol; an
    `id` breaks the tie of entries of one moment. See `api_service.history_reading`.
    """

    __tablename__ = "history"
    __table_args__ = (
        UniqueConstraint("request_id", "position"),
        Index(None, "user_id", "requested_at", "id"),
        Index(None, "user_id", "symbol", "requested_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(SmallInteger)
    requested_at: Mapped[datetime]
    symbol: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    open: Mapped[Decimal]
    high: Mapped[Decimal]
    low: Mapped[Decimal]
    close: Mapped[Decimal]
    volume: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(8))
    source: Mapped[str] = mapped_column(String(32))
    as_of: Mapped[datetime]
    stale: Mapped[bool]


COUNT_SLOTS: Final = 16


class StockRequestCount(Base):
    """How often a stock (lower-case code) was served: the sum of `times` over its slots.

    It grows in the transaction that saves the history row, so that it equals the number of rows ever saved, and the
    statistics never read the history. PostgreSQL locks the row that an upsert changes until commit; with one row per
    stock all requests for a popular one would queue behind each other's commit. So each transaction picks one of
    `COUNT_SLOTS` rows at random.
    """

    __tablename__ = "stock_request_counts"
    __table_args__ = (Index(None, "digits"),)

    symbol: Mapped[str] = mapped_column(String(20), primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(BigInteger)
    digits: Mapped[int] = mapped_column(SmallInteger, Computed(DigitsOf("times"), persisted=True))
    """Of `times`; see `api_service.popularity`."""


class StockDayCount(Base):
    """How often a stock was served on a day (in UTC, by when it was asked): the sum of `times` over its slots.

    It grows as `StockRequestCount` does, and in the same slots; on SQLite, which takes one writer at a time, in slot 0
    only. There the table is its primary key, so that the days of a range lie side by side.
    """

    __tablename__ = "stock_day_counts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: Mapped[date] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String(20), primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(BigInteger)


class LoginThrottle(Base):
    """How many log-ins failed for an account from an address, or (`account_key` empty) from an address at all.

    Nobody may try before `waits_until`; some time after it the row means nothing any more. `refusal_recorded` tells
    that the audit log knows of this wait.
    """

    __tablename__ = "login_throttle"
    __table_args__ = (Index(None, "waits_until"),)

    address: Mapped[str] = mapped_column(String(MAX_ADDRESS_LENGTH), primary_key=True)
    account_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    waits_until: Mapped[datetime]
    refusal_recorded: Mapped[bool]


class AuditEntry(Base):
    """One event that must stay on record; triggers in the database refuse every change and deletion.

    `user_id` is the account that the event is about, `detail` a small JSON object. The indexes are read backwards.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "event", "id"), Index(None, "user_id", "id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    address: Mapped[str | None] = mapped_column(String(MAX_ADDRESS_LENGTH))
    request_id: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)


class IdempotentAnswer(Base):
    """What a call that its user gave an `Idempotency-Key` was answered with: see `api_service.idempotency`."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (UniqueConstraint("user_id", "key"), Index(None, "answered_at"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(String(MAX_IDEMPOTENCY_KEY_LENGTH))
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was asked, in hexadecimal."""
    request_id: Mapped[str] = mapped_column(String(64))
    answered_at: Mapped[datetime]
    reply: Mapped[str] = mapped_column(Text)
    """A reply as `stock_contract` writes it."""
