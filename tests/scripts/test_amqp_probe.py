"""The probe tells a broker from everything else that may listen on a port; a real broker is in tests/integration."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from scripts.amqp_probe import NotReachableError, check_broker, shown

START = struct.pack(">BHIHH", 1, 0, 4, 10, 10) + b"\xce"


@contextmanager
def server_that_sends(data: bytes) -> Iterator[str]:
    """Answers one connection with `data` and closes it."""

    def answer() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(8)
            connection.sendall(data)
            if data == START:
                connection.recv(4096)  # the login; what is left unread would reset the connection

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"amqp://somebody:secret@127.0.0.1:{listener.getsockname()[1]}/here"
        thread.join(5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not an AMQP 0-9-1 server"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not an AMQP 0-9-1 server"),
        (b"AMQP\x00\x01\x00\x00", "is not an AMQP 0-9-1 server"),
        (START, "user 'somebody' is not let in"),
    ],
    ids=["closes", "http", "amqp 1.0", "closes after the login"],
)
def test_what_is_no_broker_for_us_is_told_apart(data: bytes, reason: str) -> None:
    with server_that_sends(data) as url, pytest.raises(NotReachableError, match=reason) as raised:
        check_broker(url)
    assert "secret" not in str(raised.value)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"amqp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NotReachableError, match="timed out"):
            check_broker(url, timeout=0.1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5672", "amqp:///nowhere", "", "amqp://127.0.0.1:notaport"])
def test_what_is_no_url_of_a_broker_is_told(url: str) -> None:
    with pytest.raises(NotReachableError):
        check_broker(url)


def test_urls_are_shown_without_credentials() -> None:
    assert shown("amqp://user:secret@host/%2F") == "amqp://host:5672/%2F"
    assert shown("amqps://host:1/v") == "amqps://host:1/v"
