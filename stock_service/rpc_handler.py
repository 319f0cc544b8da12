"""The RabbitMQ door: a request message in, a reply message out."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from amqp_rpc import Request
from service_kit.request_ids import bind_request_id
from service_kit.trace_context import REQUEST_ID, TRACEPARENT, request_id_in, traceparent_in
from service_kit.traces import bind_traceparent
from service_kit.tracing import SpanKind, span
from stock_contract import (
    ErrorCode,
    Failure,
    MalformedMessageError,
    ProviderStatusReply,
    ProviderStatusRequest,
    QuoteReply,
    UnsupportedVersionError,
    decode_request,
    encode_provider_status_reply,
    encode_reply,
)
from stock_service.lookup import Lookup

_log = logging.getLogger(__name__)


class RpcHandler:
    """Answers each message that can be answered; a defect is raised, and answered for by the RPC server."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def handle(self, request: Request) -> bytes:
        with (
            _named_in_the_log(request),
            span("stock_service/handle", SpanKind.SERVER, {"rpc.system": "rabbitmq", "rpc.service": "stock_service"}),
        ):
            return self._handle(request)

    def _handle(self, request: Request) -> bytes:
        try:
            message = decode_request(request.body)
        except UnsupportedVersionError as error:
            return _refuse(request, error, ErrorCode.UNSUPPORTED_VERSION)
        except MalformedMessageError as error:
            return _refuse(request, error, ErrorCode.BAD_REQUEST)
        with bind_request_id(message.request_id):
            if isinstance(message, ProviderStatusRequest):
                return encode_provider_status_reply(ProviderStatusReply(self._lookup.status()))
            return encode_reply(QuoteReply(self._lookup(message.symbols, request.deadline)))


@contextmanager
def _named_in_the_log(request: Request) -> Iterator[None]:
    """By what stands in the headers: also for a body that cannot be read."""
    request_id = request_id_in(request.headers.get(REQUEST_ID))
    with ExitStack() as bound:
        if request_id:
            bound.enter_context(bind_request_id(request_id))
        bound.enter_context(bind_traceparent(traceparent_in(request.headers.get(TRACEPARENT))))
        yield


def _refuse(request: Request, error: MalformedMessageError, code: ErrorCode) -> bytes:
    fields = {"correlation_id": request.correlation_id, "code": str(code), "reason": str(error)}
    _log.warning("worker.bad_request", extra=fields)
    return encode_reply(Failure(code))
