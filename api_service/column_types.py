"""Columns that mean the same on SQLite and on PostgreSQL: exact decimals, moments in UTC, numbers of digits."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Dialect, Numeric, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal that comes out as it went in: NUMERIC on PostgreSQL, text on SQLite, which has only binary floats."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, in UTC on the way out. SQLite stores no zone, so UTC is what its text means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """:raises ValueError: the moment has no zone, so that nobody can say when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DigitsOf(ColumnElement[int]):
    """How many digits a column's whole number, not below zero, has; for a computed column."""

    inherit_cache = True

    def __init__(self, column: str) -> None:
        self.column = column


@compiles(DigitsOf)
def _digits(element: DigitsOf, _compiler: Any, **_: Any) -> str:
    return f"length(CAST({element.column} AS TEXT))"


@compiles(DigitsOf, "postgresql")
def _digits_postgresql(element: DigitsOf, _compiler: Any, **_: Any) -> str:
    """As PostgreSQL tells it when it is asked, so that a comparison with the models finds no difference."""
    return f"length(({element.column})::text)"
