import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.end_to_end.load import Load, Plan, quantile
from scripts.services import ROOT


class _Answers(BaseHTTPRequestHandler):
    """Every fourth request is refused and its connection closed."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.headers["Authorization"])
        refused = len(self.asked) % 4 == 0
        self.send_response(503 if refused else 200)
        self.send_header("Content-Length", "2")
        if refused:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    _Answers.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_every_answer_is_counted_by_its_status_and_closed_connections_are_made_again(port: int) -> None:
    plan = Plan(port, "/", "a-token", connections=3, seconds=0.3, warm_up=0.1)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.end_to_end.load"],
        cwd=ROOT,
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        check=True,
    )
    load = Load(**json.loads(done.stdout))
    asked = len(_Answers.asked)
    assert set(_Answers.asked) == {"Bearer a-token"}
    assert load.lost == 0
    assert load.statuses == {"200": asked - asked // 4, "503": asked // 4}
    assert 0 < load.per_second * 0.3 < asked
    assert 0 < load.p50_ms <= load.p99_ms


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert quantile(values, 0.5) == 51.0
    assert quantile(values, 0.99) == 100.0
    assert quantile([7.0], 0.99) == 7.0
    assert quantile([], 0.5) == 0.0
