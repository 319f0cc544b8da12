"""A local HTTP server that stands in for stooq: real bodies for chosen codes, and a lever to hold answers back."""

import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEADER = "Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\n"
RETIRED = (
    404,
    b"<!DOCTYPE html><html><body><b>The page you requested does not exist or has been moved</b></body></html>",
)


def row(code: str, close: str = "149.99", name: str = "APPLE") -> tuple[int, bytes]:
    """A good answer for one code."""
    return 200, f"{HEADER}{code.upper()},2021-11-12,22:00:10,148.43,{close},1.5,{close},63804008,{name}\r\n".encode()


def unknown(code: str) -> tuple[int, bytes]:
    return 200, f"{HEADER}{code.upper()},N/D,N/D,N/D,N/D,N/D,N/D,N/D,{code.upper()}\r\n".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the default of 5 the kernel drops connections of many callers at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that has left: giving up is what some tests make it do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class StooqStandIn:
    """Answers `nosuch...` as unknown, `s<number>.us` with that number and a half as its close, others as Apple.

    `answers[code]` overrides, and `answer_for_all` overrides everything; after `hold`, every answer waits for
    `release`; `delay` is how long each takes, in seconds.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.answer_for_all: tuple[int, bytes] | None = None
        self.queries: list[dict[str, list[str]]] = []
        self.headers: list[dict[str, str]] = []
        """Of the same requests; names in lower case."""
        self.delay = 0.0
        self.arrived = threading.Semaphore(0)
        self._released = threading.Event()
        self._released.set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/q/l/"

    def hold(self) -> None:
        self._released.clear()

    def release(self) -> None:
        self._released.set()

    def reset(self) -> None:
        self.release()
        self.answers.clear()
        self.answer_for_all = None
        self.queries.clear()
        self.headers.clear()
        self.delay = 0.0

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, codes: str) -> tuple[int, bytes]:
        """One table for all of `codes`, which the `+` between them in a query leaves separated by blanks.

        When the answer for one of them is no table, that is the answer: an outage is the same for all.
        """
        if self.answer_for_all:
            return self.answer_for_all
        answers = [self._answer_one(code) for code in codes.split(" ")]
        header = HEADER.encode()
        for status, body in answers:
            if status != HTTPStatus.OK or not body.startswith(header):
                return status, body
        return HTTPStatus.OK, header + b"".join(body.removeprefix(header) for _, body in answers)

    def _answer_one(self, code: str) -> tuple[int, bytes]:
        if code in self.answers:
            return self.answers[code]
        if code.startswith("nosuch"):
            return unknown(code)
        number = code.removeprefix("s").removesuffix(".us")
        return row(code, f"{number}.5", f"COMPANY {number}") if number.isdigit() else row(code)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
                stand_in.headers.append({name.lower(): value for name, value in self.headers.items()})
                stand_in.queries.append(query)
                stand_in.arrived.release()
                stand_in._released.wait(20)
                time.sleep(stand_in.delay)
                status, body = stand_in.answer(query["s"][0])
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: the tests look at `queries`."""

        return Handler
