"""The edge as gunicorn serves it: answers to what is no request, and nobody believed who says to be a proxy."""

import json
import socket
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

import pytest

from service_kit.response_headers import ALWAYS
from tests.integration.api_process import SECONDS, ApiProcess

pytestmark = pytest.mark.timeout(60)

HOST = b"Host: api.example.com\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    directory = tmp_path_factory.mktemp("api")
    api = ApiProcess(directory, RATE_LIMIT_LOGIN="off")
    with (directory / "api.log").open("wb") as log, api.running(log):
        yield api


def send(api: ApiProcess, data: bytes) -> tuple[int, Message, bytes]:
    """Status, headers and body of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS) as connection:
        connection.sendall(data)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
            if b"\r\n\r\n" in answer and (b"}" in answer or answer.startswith(b"HTTP/1.1 204")):
                break
    start, _, rest = answer.partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    return int(start.split()[1]), BytesHeaderParser().parsebytes(head), body


def expect_safe_headers(headers: Message) -> None:
    assert {name: headers[name] for name in ALWAYS} == dict(ALWAYS)
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + HOST + b"Bad Header: canary\r\n\r\n", 400),
        (b"canary\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
        (b"GET /canary" + b"a" * 2_100 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: canary\r\n" * 60 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: canary" + b"a" * 9_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    ],
    ids=[
        "header",
        "line",
        "version",
        "long line",
        "many headers",
        "long header",
        "two lengths",
        "length",
        "two hosts",
    ],
)
def test_what_is_no_request_is_answered_in_our_shape(api: ApiProcess, data: bytes, status: int) -> None:
    answered, headers, body = send(api, data)
    assert answered == status
    expect_safe_headers(headers)
    assert headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(body)
    assert problem.keys() == {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == status
    assert b"canary" not in body


@pytest.mark.parametrize("path", [b"/healthz", b"/nothing", b"/api/v1/stats"])
def test_every_answer_of_the_application_hides_the_server(api: ApiProcess, path: bytes) -> None:
    _, headers, _ = send(api, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    expect_safe_headers(headers)


@pytest.mark.parametrize(
    "header",
    [b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: on", b"X-Forwarded-Protocol: ssl", b"Forwarded: proto=https"],
)
def test_who_is_no_declared_proxy_cannot_claim_https(api: ApiProcess, header: bytes) -> None:
    """gunicorn by itself believes everybody who calls from this machine."""
    status, headers, _ = send(api, b"GET /healthz HTTP/1.1\r\n" + HOST + header + b"\r\n\r\n")
    assert status == 200
    expect_safe_headers(headers)


def test_nobody_moves_the_application_by_a_header(api: ApiProcess) -> None:
    status, _, _ = send(api, b"GET /healthz HTTP/1.1\r\n" + HOST + b"SCRIPT_NAME: /healthz\r\n\r\n")
    assert status in {200, 400}


def chunked(*chunks: bytes) -> bytes:
    head = b"POST /api/v1/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    parts = (b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


LOG_IN = b'{"username": "johndoe", "password": "john"}'


def test_a_chunked_body_is_read(api: ApiProcess) -> None:
    status, _, body = send(api, chunked(LOG_IN[:9], LOG_IN[9:]))
    assert status == 200
    assert b"token" in body


@pytest.mark.parametrize("start", [b"x", LOG_IN], ids=["no JSON", "JSON up to the limit"])
def test_a_chunked_body_that_is_too_large_is_refused_and_not_cut(api: ApiProcess, start: bytes) -> None:
    status, headers, body = send(api, chunked(start.ljust(0x4000), b"x" * 0x4000))
    assert status == 413
    expect_safe_headers(headers)
    assert json.loads(body)["type"] == "/problems/request-entity-too-large"
