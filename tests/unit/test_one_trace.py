"""One call through both services and to the provider is one trace, over each transport, and so is its log."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import werkzeug.serving
from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from amqp_rpc import RpcClient, RpcServer
from amqp_rpc.in_memory import InMemoryClientTransport, InMemoryQueue, InMemoryServerTransport
from api_service import settings as api_settings
from api_service import users
from api_service.app import create_app
from api_service.auth import tokens
from api_service.database import db
from api_service.stock_clients import StockClient
from api_service.stock_clients.http import HttpStockClient
from api_service.stock_clients.rpc import RpcStockClient
from service_kit import tracing
from service_kit.otel import OtelTracer
from stock_service import app as stock_app
from stock_service.lookup import QuoteLookup, build_lookup
from stock_service.rpc_handler import RpcHandler
from stock_service.settings import load
from tests.seeded_database import copy_seeded_database
from tests.stand_ins import RETIRED, StooqStandIn

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PLACE = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OtelTracer(provider))
    yield exporter
    tracing.use(None)
    provider.shutdown()


@pytest.fixture
def stooq() -> Iterator[StooqStandIn]:
    stand_in = StooqStandIn()
    yield stand_in
    stand_in.close()


@contextmanager
def over_rpc(lookup: QuoteLookup) -> Iterator[StockClient]:
    queue = InMemoryQueue()
    server = RpcServer(InMemoryServerTransport(queue, 2), RpcHandler(lookup).handle, workers=2)
    server.start()
    client = RpcStockClient(lambda: RpcClient(InMemoryClientTransport(queue), grace=3.0))
    yield client
    client.close()
    server.drain(5.0)


@contextmanager
def over_http(lookup: QuoteLookup) -> Iterator[StockClient]:
    app = stock_app.create_app(load({}), lookup)
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    client = HttpStockClient(f"http://127.0.0.1:{server.port}")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=[over_rpc, over_http], ids=["rpc", "http"])
def api(request: pytest.FixtureRequest, tmp_path: Path, stooq: StooqStandIn) -> Iterator[Flask]:
    copy_seeded_database(tmp_path / "api.sqlite3")
    lookup = build_lookup(load({"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": stooq.url}))
    environ = {"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{tmp_path / 'api.sqlite3'}"}
    with ExitStack() as stack:
        app = create_app(api_settings.load(environ), stack.enter_context(request.param(lookup)))
        yield app
        with app.app_context():
            db.engine.dispose()


def get(app: Flask, path: str, **headers: str) -> tuple[int, str]:
    """The status and the request id."""
    with app.app_context():
        johndoe = users.find_credentials("johndoe")
        assert johndoe
        token = tokens.issue(johndoe.user_id, johndoe.token_version).token
    answer = app.test_client().get(path, headers={"Authorization": f"Bearer {token}", **headers})
    return answer.status_code, answer.headers["X-Request-ID"]


def chain(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans from the outermost to the innermost, each the parent of the next."""
    by_parent = {span.parent.span_id if span.parent else 0: span for span in spans.get_finished_spans()}
    at = 0 if 0 in by_parent else int(SPAN, 16)
    found = []
    while at in by_parent:
        found.append(by_parent[at])
        at = by_parent[at].get_span_context().span_id
    assert len(found) == len(spans.get_finished_spans())
    return found


def test_a_call_is_one_trace_from_its_caller_to_the_provider(
    api: Flask, spans: InMemorySpanExporter, stooq: StooqStandIn
) -> None:
    status, request_id = get(api, "/api/v1/stock?q=aapl.us", traceparent=PLACE)
    assert status == 200
    edge, client, server, provider = chain(spans)
    assert edge.parent
    assert format_span_id(edge.parent.span_id) == SPAN
    assert {format_trace_id(span.get_span_context().trace_id) for span in (edge, client, server, provider)} == {TRACE}
    kinds = [span.kind for span in (edge, client, server, provider)]
    assert kinds == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER, SpanKind.CLIENT]
    assert (edge.name, provider.name) == ("GET /api/v1/stock", "GET")
    assert edge.attributes
    assert edge.attributes["http.response.status_code"] == 200
    assert edge.attributes["request_id"] == request_id
    assert all(span.status.is_unset for span in (edge, client, server, provider))
    (sent,) = stooq.headers
    assert sent["x-request-id"] == request_id
    assert sent["traceparent"] == f"00-{TRACE}-{format_span_id(provider.get_span_context().span_id)}-01"


def test_a_call_that_comes_without_a_trace_begins_one_and_a_probe_does_not(
    api: Flask, spans: InMemorySpanExporter
) -> None:
    assert get(api, "/healthz")[0] == 200
    assert get(api, "/api/v1/stock?q=nosuch.us", traceparent="nonsense")[0] == 404
    edge, *rest = chain(spans)
    assert edge.parent is None
    assert len(rest) == 3
    assert edge.attributes
    assert edge.attributes["http.route"] == "/api/v1/stock"


def test_without_spans_the_callers_place_goes_on_as_it_is(api: Flask, stooq: StooqStandIn) -> None:
    stooq.answer_for_all = RETIRED
    status, request_id = get(api, "/api/v1/stock?q=aapl.us", traceparent=PLACE)
    assert status == 502
    assert {(sent["x-request-id"], sent["traceparent"]) for sent in stooq.headers} == {(request_id, PLACE)}
