"""One call through both services as processes: one id in both logs, and one trace with the spans of both."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.conftest import System, running_system
from tests.stand_ins import RETIRED, StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PLACE = f"00-{TRACE}-00f067aa0ba902b7-01"


class Collector:
    """Takes spans as an OpenTelemetry collector does; `spans` has service, id and parent of those of TRACE."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in sent.resource_spans:
                    collector.take(resource)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, resource: Any) -> None:
        names = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                if span.trace_id.hex() == TRACE:
                    self.spans.append((names[0], span.span_id.hex(), span.parent_span_id.hex()))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module", params=["rpc", "http"])
def traced(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    stooq: StooqStandIn,
    module_amqp_url: str,
    collector: Collector,
) -> Iterator[System]:
    amqp_url = module_amqp_url if request.param == "rpc" else None
    directory = tmp_path_factory.mktemp(request.param)
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with running_system(request.param, directory, stooq.url, amqp_url, **settings) as system:
        yield system


def lines(log: Path, request_id: str) -> list[dict[str, Any]]:
    """Of the call."""
    text = log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if request_id in line and line.endswith("}")]


def test_one_call_has_one_id_in_both_logs_and_one_trace(
    traced: System, stooq: StooqStandIn, collector: Collector
) -> None:
    assert traced.get("/readyz", user=None).json()["checks"]["stock_service"] == "ok"
    collector.spans.clear()
    stooq.answer_for_all = RETIRED  # both services have something to say of it
    headers = {"Authorization": f"Bearer {traced.token('johndoe')}", "traceparent": PLACE}
    answer = traced.session.get(traced.url("/api/v1/quotes?symbols=aapl.us"), headers=headers, timeout=9)
    request_id = answer.headers["X-Request-ID"]
    assert [sent["x-request-id"] for sent in stooq.headers] == [request_id]
    for name, event in (("api", "stock.no_quote"), ("stock", "upstream.failed")):
        log = traced.directory / f"{name}.log"
        eventually(lambda log=log: bool(lines(log, request_id)))
        assert event in {line["event"] for line in lines(log, request_id)}
        assert {line["trace_id"] for line in lines(log, request_id)} == {TRACE}
    eventually(lambda: len(collector.spans) == 4)
    services = [service for service, _, _ in sorted(collector.spans, key=depth_among(collector.spans))]
    assert services == ["api_service", "api_service", "stock_service", "stock_service"]


def depth_among(spans: list[tuple[str, str, str]]) -> Any:
    """How far a span is from the caller's."""
    parents = {span_id: parent for _, span_id, parent in spans}

    def depth(span: tuple[str, str, str]) -> int:
        at, steps = span[1], 0
        while at in parents:
            at, steps = parents[at], steps + 1
        assert at == PLACE[36:52]
        return steps

    return depth
