"""The kinds of fields that bodies have beyond marshmallow's own: moments, kept JSON, and texts that can be stored."""

import json
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields

from api_service.models import MAX_USERNAME_LENGTH
from api_service.users import is_valid_username


def is_text(value: str) -> None:
    """JSON can write half of a surrogate pair, which is no character: it cannot be hashed or stored."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError("Not a valid text.") from None


def has_no_nul(value: str) -> None:
    """PostgreSQL takes no NUL in a text (https://www.postgresql.org/docs/current/datatype-character.html)."""
    if "\0" in value:
        raise ValidationError("Not a valid text.")


def is_new_name(value: str) -> None:
    if not is_valid_username(value):
        raise ValidationError(f"A name has 1 to {MAX_USERNAME_LENGTH} letters, digits and . _ @ + -")


class TrueOrFalse(fields.Boolean):
    """Nothing that only looks like one of the two, such as 1 or "no"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise self.make_error("invalid", input=value)


class UtcSeconds(fields.Field[datetime]):
    """A moment in UTC to the second, as in 2021-04-01T19:20:30Z."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        moment: datetime = value
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class UtcMoment(fields.Field[datetime]):
    """A moment in UTC as exactly as it is known, or null."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        moment: datetime | None = value
        return None if moment is None else utc_text(moment)


class JsonText(fields.Field[str]):
    """JSON that is kept as text, as the value that it is."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return json.loads(value)


def utc_text(moment: datetime) -> str:
    """ISO 8601 with `Z`, as in 2021-04-01T19:20:30Z or 2021-04-01T19:20:30.123456Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
