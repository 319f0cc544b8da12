"""What is taken over as the place in a trace, and where it is then found."""

import subprocess
import sys

import pytest
from flask import Flask

from amqp_rpc import Request, RpcServer
from amqp_rpc.client import RpcClient
from amqp_rpc.errors import RemoteError
from amqp_rpc.in_memory import InMemoryClientTransport, InMemoryQueue, InMemoryServerTransport
from service_kit import http_traces, problems
from service_kit.deadline import Deadline
from service_kit.trace_context import request_id_in, traceparent_in
from service_kit.traces import bind_traceparent, current_traceparent, trace_headers
from tests.rules.compose_files import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PLACE = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (PLACE, PLACE),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-03-what.comes", PLACE),  # a later version
        (f"cc-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (PLACE.upper(), None),
        (f" {PLACE}", None),
        (f"{PLACE}\n", None),
        (f"{PLACE},{PLACE}", None),
        (f"cc-{TRACE}-{SPAN}-01-{'x' * 300}", None),
        (f"cc-{TRACE}-{SPAN}-01.x", None),
        (PLACE.replace("4", "٤"), None),
        ("", None),
        (None, None),
        (PLACE.encode(), None),
    ],
)
def test_a_traceparent_is_taken_when_it_is_one(text: object, taken: str | None) -> None:
    assert traceparent_in(text) == taken


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "x" * 65, None, 7])
def test_what_would_not_do_for_a_log_line_is_no_request_id(text: object) -> None:
    assert request_id_in(text) is None


def test_the_place_holds_for_its_block() -> None:
    assert trace_headers() == {}
    with bind_traceparent(PLACE), bind_traceparent(None):
        assert trace_headers() == {"traceparent": PLACE}
    assert current_traceparent() is None


@pytest.mark.parametrize(("sent", "place"), [(PLACE, PLACE), ("nonsense", None), (None, None)])
def test_an_http_request_goes_on_in_the_trace_of_its_caller(sent: str | None, place: str | None) -> None:
    app = Flask(__name__)
    problems.init_app(app)
    http_traces.init_app(app)
    app.add_url_rule("/", view_func=lambda: {"place": current_traceparent()})
    with app.test_client() as client:
        headers = {"traceparent": sent} if sent else {}
        assert client.get("/", headers=headers).get_json() == {"place": place}
        assert client.get("/").get_json() == {"place": None}


def test_what_the_rpc_core_logs_about_a_request_names_its_call(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Request) -> bytes:
        raise ZeroDivisionError

    queue = InMemoryQueue()
    server = RpcServer(InMemoryServerTransport(queue, 1), fail, workers=1)
    server.start()
    client = RpcClient(InMemoryClientTransport(queue), grace=3.0)
    headers = {"x-request-id": "r1", "traceparent": PLACE}
    with pytest.raises(RemoteError):
        client.call(b"", deadline=Deadline.after(5.0), headers=headers)
    client.close()
    server.drain(5.0)
    (line,) = [record for record in caplog.records if record.message == "rpc.handler_failed"]
    assert (vars(line)["request_id"], vars(line)["trace_id"]) == ("r1", TRACE)


_SWITCHED_ON_WITHOUT_PACKAGES = """
import logging, sys
logging.basicConfig(format="%(message)s %(levelname)s %(install)s")
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Nowhere())
from service_kit import tracing
tracing.start("api_service", "")
assert "service_kit.otel" not in sys.modules
tracing.start("api_service", "http://127.0.0.1:4318")
assert not tracing.is_on()
with tracing.span("x", tracing.SpanKind.CLIENT, {}) as span:
    span.set_attribute("a", 1)
"""


def test_without_the_packages_the_start_says_so_and_goes_on() -> None:
    """In a process of its own, for here they are installed."""
    command = [sys.executable, "-c", _SWITCHED_ON_WITHOUT_PACKAGES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "tracing.not_installed WARNING requirements-otel.txt\n"
