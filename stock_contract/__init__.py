"""What the two services say to each other: messages, error codes and their JSON form.

Standard library and marshmallow only; no behaviour beyond encode and decode.
"""

from stock_contract.codec import (
    MalformedMessageError,
    UnsupportedVersionError,
    decode_provider_status_reply,
    decode_reply,
    decode_request,
    dump_failure,
    dump_provider_status,
    dump_quote,
    encode_provider_status_reply,
    encode_provider_status_request,
    encode_reply,
    encode_request,
    load_failure,
    load_provider_status,
    load_quote,
)
from stock_contract.messages import (
    CONTRACT_VERSION,
    REQUEST_QUEUE,
    BreakerState,
    ErrorCode,
    Failure,
    ProviderStatus,
    ProviderStatusReply,
    ProviderStatusRequest,
    Quote,
    QuoteReply,
    QuoteRequest,
)
from stock_contract.symbols import MAX_SYMBOL_LENGTH, MAX_SYMBOLS_PER_REQUEST, is_valid_symbol

__all__ = [
    "CONTRACT_VERSION",
    "MAX_SYMBOLS_PER_REQUEST",
    "MAX_SYMBOL_LENGTH",
    "REQUEST_QUEUE",
    "BreakerState",
    "ErrorCode",
    "Failure",
    "MalformedMessageError",
    "ProviderStatus",
    "ProviderStatusReply",
    "ProviderStatusRequest",
    "Quote",
    "QuoteReply",
    "QuoteRequest",
    "UnsupportedVersionError",
    "decode_provider_status_reply",
    "decode_reply",
    "decode_request",
    "dump_failure",
    "dump_provider_status",
    "dump_quote",
    "encode_provider_status_reply",
    "encode_provider_status_request",
    "encode_reply",
    "encode_request",
    "is_valid_symbol",
    "load_failure",
    "load_provider_status",
    "load_quote",
]
