"""The bodies of the calls, as marshmallow schemas: what comes in is checked by them, what goes out is made by them."""

from typing import Any, ClassVar, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from api_service.audit import AuditEvent
from api_service.auth.password_rules import MIN_PASSWORD_LENGTH
from api_service.auth.passwords import MAX_PASSWORD_LENGTH
from api_service.models import MAX_USERNAME_LENGTH, Role
from api_service.resources.body_fields import (
    JsonText,
    TrueOrFalse,
    UtcMoment,
    UtcSeconds,
    has_no_nul,
    is_new_name,
    is_text,
)
from stock_contract import BreakerState

_TO_THE_SECOND: Final = {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_ID: Final = {"minimum": 1}
_COUNT: Final = {"minimum": 0}
_SECONDS: Final = {"minimum": 1, "description": "Seconds"}
_NEW_PASSWORD: Final = {
    "minLength": MIN_PASSWORD_LENGTH,
    "maxLength": MAX_PASSWORD_LENGTH,
    "description": "Not one that is easy to guess",
}
_ROLE: Final = {"description": "An ADMIN is a super user"}


class BodySchema(Schema):
    """`metadata` of a field is for the document; what a call takes is checked by `validate` alone."""

    beside_the_fields: ClassVar[dict[str, Any]] = {}
    """JSON Schema of the whole, for the document."""

    class Meta:
        unknown = RAISE


class _Answer(BodySchema):
    """What goes out has all of its keys, always; `allow_none` says where null may stand."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True


class LoginBody(BodySchema):
    username = fields.String(
        required=True,
        validate=[validate.Length(1, MAX_USERNAME_LENGTH), is_text, has_no_nul],
        metadata={"pattern": "^[^\\u0000]*$", "description": "Without the character NUL"},
    )
    password = fields.String(required=True, validate=[validate.Length(1, MAX_PASSWORD_LENGTH), is_text])


class PasswordChangeBody(BodySchema):
    """The new password's length is a matter of `auth.password_rules`, which says why it is refused."""

    current_password = fields.String(required=True, validate=[validate.Length(1, MAX_PASSWORD_LENGTH), is_text])
    new_password = fields.String(required=True, validate=is_text, metadata=_NEW_PASSWORD)


class NewUserBody(BodySchema):
    """The password's length is a matter of `auth.password_rules`, as in `PasswordChangeBody`."""

    username = fields.String(
        required=True,
        validate=is_new_name,
        metadata={
            "minLength": 1,
            "maxLength": MAX_USERNAME_LENGTH,
            "pattern": r"^[\w.@+-]+$",
            "description": "Letters, digits and . _ @ + -",
        },
    )
    password = fields.String(required=True, validate=is_text, metadata=_NEW_PASSWORD)
    role = fields.Enum(Role, by_value=True, load_default=Role.USER, metadata=_ROLE)


class UserChangeBody(BodySchema):
    """At least one of them; the password as in `NewUserBody`."""

    beside_the_fields: ClassVar[dict[str, Any]] = {"minProperties": 1}

    active = TrueOrFalse(metadata={"description": "Whether the user may log in"})
    role = fields.Enum(Role, by_value=True, metadata=_ROLE)
    password = fields.String(validate=is_text, metadata=_NEW_PASSWORD)

    @validates_schema
    def _is_a_change(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Nothing is to be changed.")


class CurrentUserBody(_Answer):
    id = fields.Integer(metadata=_ID)
    username = fields.String()
    role = fields.Enum(Role, by_value=True, metadata=_ROLE)


class UserBody(CurrentUserBody):
    """What super users see of a user."""

    active = fields.Boolean(metadata={"description": "May log in"})
    created_at = UtcSeconds(metadata=_TO_THE_SECOND)


class AccessTokenBody(_Answer):
    token = fields.String(metadata={"description": "For every call but `/refresh`"})
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata=_SECONDS)


class TokenPairBody(AccessTokenBody):
    refresh_token = fields.String(metadata={"description": "For `/refresh` only; works once"})
    refresh_expires_in = fields.Integer(metadata=_SECONDS)


def _price(**kwargs: Any) -> fields.Float:
    """A JSON number, which keeps up to 15 significant digits exactly."""
    return fields.Float(metadata={"exclusiveMinimum": 0}, **kwargs)


class QuoteBody(_Answer):
    symbol = fields.String()
    company_name = fields.String(attribute="name")
    quote = _price(attribute="close")


class FullQuoteBody(_Answer):
    """All that is known of a quote; prices in `currency` (null when the provider does not say)."""

    symbol = fields.String()
    name = fields.String()
    open = _price()
    high = _price()
    low = _price()
    close = _price()
    volume = fields.Integer(allow_none=True, metadata=_COUNT)
    currency = fields.String(allow_none=True)
    source = fields.String(metadata={"description": "The provider"})
    as_of = UtcMoment(metadata={"description": "When the price was true, as the provider says"})
    fetched_at = UtcMoment(metadata={"description": "When the stock service read it"})
    stale = fields.Boolean(metadata={"description": "Every provider fails, and this is the last quote that was read"})


class ReasonBody(_Answer):
    type = fields.String(metadata={"pattern": "^/problems/[a-z-]+$"})
    title = fields.String()


class NoQuoteBody(_Answer):
    """What stands in a list for a symbol without a quote: the `type` and `title` of the problem."""

    symbol = fields.String()
    error = fields.Nested(ReasonBody)


class HistoryEntryBody(_Answer):
    """One entry of a user's history."""

    date = UtcSeconds(attribute="requested_at", metadata=_TO_THE_SECOND)
    name = fields.String()
    symbol = fields.String()
    open = _price()
    high = _price()
    low = _price()
    close = _price()


class StockCountBody(_Answer):
    stock = fields.String()
    times_requested = fields.Integer(metadata={"minimum": 1})


class ProviderStatusBody(_Answer):
    """What one stock service has seen of a provider since its start; see `stock_contract.ProviderStatus`."""

    name = fields.String()
    enabled = fields.Boolean()
    breaker = fields.Enum(BreakerState, by_value=True)
    retry_in = fields.Integer(
        allow_none=True, metadata={"description": "Seconds until an open breaker lets a call through"}
    )
    last_success = UtcMoment(allow_none=True)
    last_failure = UtcMoment(allow_none=True)
    last_failure_kind = fields.String(allow_none=True)
    successes = fields.Integer(metadata=_COUNT)
    failures = fields.Integer(metadata=_COUNT)
    failures_by_kind = fields.Dict(fields.String(), fields.Integer(metadata={"minimum": 1}))


class AuditEntryBody(_Answer):
    """One entry of the audit log."""

    id = fields.Integer(metadata=_ID)
    at = UtcMoment()
    event = fields.String(metadata={"enum": [event.value for event in AuditEvent]})
    user_id = fields.Integer(
        allow_none=True, metadata={"description": "The account that it is about; null when there is none"}
    )
    username = fields.String(allow_none=True)
    address = fields.String(
        allow_none=True, metadata={"description": "From where it was asked for; null for the command line"}
    )
    request_id = fields.String(allow_none=True, metadata={"description": "Null for the command line"})
    detail = JsonText(metadata={"type": "object", "additionalProperties": {"type": ["string", "integer"]}})
