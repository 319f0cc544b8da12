"""A client that stops reading loses its connection, and the thread that sends to it goes on."""

import socket
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from service_kit import http_worker

REQUEST = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
LARGE = bytes(8_000_000)


@pytest.mark.parametrize("what", ["a part", "the end"])
def test_a_client_that_stops_reading_is_hung_up_on(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_worker, "_SEND", 0.05)
    with ExitStack() as ending:
        server, client = map(ending.enter_context, socket.socketpair())
        response = http_worker.Response(REQUEST, server, SimpleNamespace())
        response.start_response("200 OK", [("Content-Type", "text/csv")])
        if what == "the end":
            response.write(b"small")
            server.setblocking(False)
            while True:
                try:
                    server.send(LARGE)
                except BlockingIOError:
                    break
        with pytest.raises(BrokenPipeError):
            response.close() if what == "the end" else response.write(LARGE)
        while client.recv(1_000_000):
            pass  # and then comes the end
    assert caplog.messages == ["http.client_stopped_reading"]


def test_a_client_that_reads_gets_it_all() -> None:
    with ExitStack() as ending:
        server, client = map(ending.enter_context, socket.socketpair())
        response = http_worker.Response(REQUEST, server, SimpleNamespace())
        response.start_response("200 OK", [("Content-Type", "text/csv")])
        response.write(b"small")
        response.close()
        assert client.recv(10_000).endswith(b"\r\n\r\n5\r\nsmall\r\n0\r\n\r\n")
        assert server.gettimeout() is None
