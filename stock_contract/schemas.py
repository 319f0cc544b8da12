"""Marshmallow schemas of the wire form. Readers ignore fields that they do not know (deployment skew is real)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from stock_contract.messages import (
    BreakerState,
    ErrorCode,
    Failure,
    ProviderStatus,
    ProviderStatusRequest,
    Quote,
    QuoteRequest,
)
from stock_contract.symbols import MAX_SYMBOLS_PER_REQUEST, is_valid_symbol

_MAX_PRICE: Final = Decimal(10) ** 12
_MAX_NAME_LENGTH: Final = 200
# Decimal and fromisoformat take more than the contract says: underscores, blanks, exponents, dates without a time.
_DECIMAL: Final = re.compile(r"\d{1,13}(\.\d{1,10})?", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _check_symbol(text: str) -> None:
    if not is_valid_symbol(text):
        raise ValidationError("Not a symbol code.")


class _Price(fields.Decimal):
    """An exact price; a string on the wire, because a JSON number becomes a binary float in most readers."""

    def __init__(self) -> None:
        super().__init__(required=True, validate=validate.Range(max=_MAX_PRICE))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return format(value, "f")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class _Instant(fields.AwareDateTime):
    """A moment in UTC, ISO 8601 with `Z`."""

    def __init__(self, *, required: bool = True) -> None:
        super().__init__(required=required, allow_none=not required, format="iso", default_timezone=UTC)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        instant: datetime | None = value
        return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        parsed = super()._deserialize(value, attr, data, **kwargs)
        try:
            return parsed.astimezone(UTC)
        except OverflowError:  # the first or last hours that a datetime can hold, in another zone
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None


class _MessageSchema(Schema):
    class Meta:
        unknown = EXCLUDE


def _request_id() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 64))


class RequestSchema(_MessageSchema):
    """The body of a `QuoteRequest`, without its version."""

    request_id = _request_id()
    symbols = fields.List(
        fields.String(validate=_check_symbol),
        required=True,
        validate=validate.Length(1, MAX_SYMBOLS_PER_REQUEST),
    )

    @post_load
    def _build(self, data: Mapping[str, Any], **_: Any) -> QuoteRequest:
        return QuoteRequest(request_id=data["request_id"], symbols=tuple(data["symbols"]))


class QuoteSchema(_MessageSchema):
    """A `Quote`; also the body of the stock service's HTTP answer."""

    symbol = fields.String(required=True, validate=_check_symbol)
    name = fields.String(required=True, validate=validate.Length(1, _MAX_NAME_LENGTH))
    open = _Price()
    high = _Price()
    low = _Price()
    close = _Price()
    volume = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 2**63 - 1))
    currency = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 8))
    source = fields.String(required=True, validate=validate.Length(1, 32))
    as_of = _Instant()
    fetched_at = _Instant()
    stale = fields.Boolean(load_default=False)
    fresh_until = _Instant(required=False)

    @post_load
    def _build(self, data: Mapping[str, Any], **_: Any) -> Quote:
        return Quote(**data)


class FailureSchema(_MessageSchema):
    """A `Failure`. A code of a newer sender reads as `internal`: an error stays an error."""

    code = fields.String(required=True)
    retry_after = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 86_400))

    @post_load
    def _build(self, data: Mapping[str, Any], **_: Any) -> Failure:
        known = data["code"] in ErrorCode.__members__.values()
        code = ErrorCode(data["code"]) if known else ErrorCode.INTERNAL
        return Failure(code=code, retry_after=data["retry_after"])


class ProviderStatusRequestSchema(_MessageSchema):
    """The body of a `ProviderStatusRequest`, without its version and its `ask`."""

    request_id = _request_id()

    @post_load
    def _build(self, data: Mapping[str, Any], **_: Any) -> ProviderStatusRequest:
        return ProviderStatusRequest(**data)


def _count() -> fields.Integer:
    return fields.Integer(load_default=0, strict=True, validate=validate.Range(0))


class ProviderStatusSchema(_MessageSchema):
    """A `ProviderStatus`; also an entry of the HTTP answer."""

    name = fields.String(required=True, validate=validate.Length(1, 32))
    enabled = fields.Boolean(required=True)
    breaker = fields.Enum(BreakerState, by_value=True, required=True)
    retry_in = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0))
    last_success = _Instant(required=False)
    last_failure = _Instant(required=False)
    last_failure_kind = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 32))
    successes = _count()
    failures = _count()
    failures_by_kind = fields.Dict(fields.String(validate=validate.Length(1, 32)), _count(), load_default=dict)

    @post_load
    def _build(self, data: Mapping[str, Any], **_: Any) -> ProviderStatus:
        return ProviderStatus(**data)
