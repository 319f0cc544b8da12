"""The bodies of the calls, as marshmallow schemas: what comes in is checked by them, what goes out is made by them."""

import json
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from api_service.auth.passwords import MAX_PASSWORD_LENGTH
from api_service.models import MAX_USERNAME_LENGTH, Role
from api_service.users import is_valid_username
from stock_contract import BreakerState


def _is_text(value: str) -> None:
    """JSON can write half of a surrogate pair, which is no character: it cannot be hashed or stored."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError("Not a valid text.") from None


def _has_no_nul(value: str) -> None:
    """PostgreSQL takes no NUL in a text (https://www.postgresql.org/docs/current/datatype-character.html)."""
    if "\0" in value:
        raise ValidationError("Not a valid text.")


def _is_new_name(value: str) -> None:
    if not is_valid_username(value):
        raise ValidationError(f"A name has 1 to {MAX_USERNAME_LENGTH} letters, digits and . _ @ + -")


class _TrueOrFalse(fields.Boolean):
    """Nothing that only looks like one of the two, such as 1 or "no"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise self.make_error("invalid", input=value)


class _UtcSeconds(fields.Field[datetime]):
    """A moment in UTC to the second, as in 2021-04-01T19:20:30Z."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        moment: datetime = value
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _UtcMoment(fields.Field[datetime]):
    """A moment in UTC as exactly as it is known, or null."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        moment: datetime | None = value
        return None if moment is None else utc_text(moment)


class _JsonText(fields.Field[str]):
    """JSON that is kept as text, as the value that it is."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return json.loads(value)


def utc_text(moment: datetime) -> str:
    """ISO 8601 with `Z`, as in 2021-04-01T19:20:30Z or 2021-04-01T19:20:30.123456Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Body(Schema):
    class Meta:
        unknown = RAISE


class LoginBody(_Body):
    username = fields.String(required=True, validate=[validate.Length(1, MAX_USERNAME_LENGTH), _is_text, _has_no_nul])
    password = fields.String(required=True, validate=[validate.Length(1, MAX_PASSWORD_LENGTH), _is_text])


class PasswordChangeBody(_Body):
    """The new password's length is a matter of `auth.password_rules`, which says why it is refused."""

    current_password = fields.String(required=True, validate=[validate.Length(1, MAX_PASSWORD_LENGTH), _is_text])
    new_password = fields.String(required=True, validate=_is_text)


class NewUserBody(_Body):
    """The password's length is a matter of `auth.password_rules`, as in `PasswordChangeBody`."""

    username = fields.String(required=True, validate=_is_new_name)
    password = fields.String(required=True, validate=_is_text)
    role = fields.Enum(Role, by_value=True, load_default=Role.USER)


class UserChangeBody(_Body):
    """At least one of them; the password as in `NewUserBody`."""

    active = _TrueOrFalse()
    role = fields.Enum(Role, by_value=True)
    password = fields.String(validate=_is_text)

    @validates_schema
    def _is_a_change(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Nothing is to be changed.")


class CurrentUserBody(_Body):
    id = fields.Integer()
    username = fields.String()
    role = fields.Enum(Role, by_value=True)


class UserBody(CurrentUserBody):
    """What super users see of a user."""

    active = fields.Boolean()
    created_at = _UtcSeconds()


class TokenPairBody(_Body):
    token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer()
    refresh_token = fields.String()
    refresh_expires_in = fields.Integer()


class QuoteBody(_Body):
    """A quote; the price is a JSON number, which keeps up to 15 significant digits exactly."""

    symbol = fields.String()
    company_name = fields.String(attribute="name")
    quote = fields.Float(attribute="close")


class FullQuoteBody(_Body):
    """All that is known of a quote; prices as in `QuoteBody`, in `currency` (null when the provider does not say)."""

    symbol = fields.String()
    name = fields.String()
    open = fields.Float()
    high = fields.Float()
    low = fields.Float()
    close = fields.Float()
    volume = fields.Integer()
    currency = fields.String()
    source = fields.String()
    as_of = _UtcMoment()
    fetched_at = _UtcMoment()
    stale = fields.Boolean()


class HistoryEntryBody(_Body):
    """One entry of a user's history; prices as in `QuoteBody`."""

    date = _UtcSeconds(attribute="requested_at")
    name = fields.String()
    symbol = fields.String()
    open = fields.Float()
    high = fields.Float()
    low = fields.Float()
    close = fields.Float()


class StockCountBody(_Body):
    stock = fields.String()
    times_requested = fields.Integer()


class ProviderStatusBody(_Body):
    """What one stock service has seen of a provider since its start; see `stock_contract.ProviderStatus`."""

    name = fields.String()
    enabled = fields.Boolean()
    breaker = fields.Enum(BreakerState, by_value=True)
    retry_in = fields.Integer()
    last_success = _UtcMoment()
    last_failure = _UtcMoment()
    last_failure_kind = fields.String()
    successes = fields.Integer()
    failures = fields.Integer()
    failures_by_kind = fields.Dict(fields.String(), fields.Integer())


class AuditEntryBody(_Body):
    """One entry of the audit log; `user_id` and `username` are null when no account is concerned."""

    id = fields.Integer()
    at = _UtcMoment()
    event = fields.String()
    user_id = fields.Integer()
    username = fields.String()
    address = fields.String()
    request_id = fields.String()
    detail = _JsonText()
