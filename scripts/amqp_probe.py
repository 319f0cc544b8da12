"""Asks an AMQP 0-9-1 server whether it answers and lets us in, with the standard library alone.

`make run` needs to know that before anything is installed, and an open port says too little: while a broker boots,
or when the password is wrong, the port is open too.
"""

import socket
import ssl
import struct
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit

_HEADER = b"AMQP\x00\x00\x09\x01"
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = ((10, n) for n in (10, 11, 30, 31, 40, 41, 50))
_LARGEST_FRAME = 131072
_METHOD_FRAME, _FRAME_END = 1, 0xCE


class NotReachableError(Exception):
    """No broker that lets us in at this URL; the text says what happened, without the password."""


def check_broker(url: str, timeout: float = 2.0, ca: str = "") -> None:
    """`ca`: certificates in PEM to trust an `amqps://` broker by, instead of the system's.

    :raises NotReachableError: nothing there, not an AMQP server, login refused, or no such virtual host.
    """
    try:
        parts = urlsplit(url)
        with _connect(parts, timeout, ca) as connection:
            _log_in(connection, parts)
    except (OSError, ValueError) as error:
        raise NotReachableError(f"{shown(url)}: {error}") from error


def shown(url: str) -> str:
    """The URL without its password, for messages."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{_port(parts)}{parts.path}"
    except ValueError:
        return "a URL that is none"


def _port(parts: SplitResult) -> int:
    return parts.port or (5671 if parts.scheme == "amqps" else 5672)


def _connect(parts: SplitResult, timeout: float, ca: str) -> socket.socket:
    if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
        raise ValueError("is not an amqp:// or amqps:// URL")
    connection = socket.create_connection((parts.hostname, _port(parts)), timeout)
    if parts.scheme == "amqps":
        return ssl.create_default_context(cadata=ca or None).wrap_socket(connection, server_hostname=parts.hostname)
    return connection


def _log_in(connection: socket.socket, parts: SplitResult) -> None:
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    vhost = unquote(parts.path[1:]) or "/"
    connection.sendall(_HEADER)
    _expect(connection, _START, "is not an AMQP 0-9-1 server")
    answer = f"\0{user}\0{password}".encode()
    _send(connection, _START_OK, _client_properties() + _short("PLAIN") + _long(answer) + _short("en_US"))
    limits = _expect(connection, _TUNE, f"user {user!r} is not let in")
    _send(connection, _TUNE_OK, limits)
    _send(connection, _OPEN, _short(vhost) + b"\0\0")
    _expect(connection, _OPEN_OK, f"there is no virtual host {vhost!r} for user {user!r}")
    with suppress(OSError):  # the answer is known; the farewell is only polite
        _send(connection, _CLOSE, struct.pack(">HBHH", 200, 0, 0, 0))


def _client_properties() -> bytes:
    """Ask to be told when the login is refused; without this RabbitMQ closes the socket after three seconds."""
    capabilities = _short("authentication_failure_close") + b"t\x01"
    return _long(_short("capabilities") + b"F" + _long(capabilities))


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _send(connection: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack(">HH", *method) + arguments
    connection.sendall(struct.pack(">BHI", _METHOD_FRAME, 0, len(payload)) + payload + bytes([_FRAME_END]))


def _expect(connection: socket.socket, method: tuple[int, int], otherwise: str) -> bytes:
    """Read one frame and return the arguments of its method, which must be `method`."""
    kind, _, size = struct.unpack(">BHI", _read(connection, 7, otherwise))
    if kind != _METHOD_FRAME or size > _LARGEST_FRAME:
        raise ValueError(otherwise)
    payload = _read(connection, size + 1, otherwise)
    if struct.unpack(">HH", payload[:4]) != method:
        raise ValueError(otherwise)
    return payload[4:-1]


def _read(connection: socket.socket, size: int, otherwise: str) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ValueError(otherwise)
        data += chunk
    return data
