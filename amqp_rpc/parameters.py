"""From an AMQP URL to connection parameters with every time limit set: pika's defaults may wait for ever."""

import ssl
from typing import Final

import pika

_CONNECT_TIMEOUT: Final = 2.0
_HANDSHAKE_TIMEOUT: Final = 3.0
_TCP_USER_TIMEOUT_MS: Final = 5_000


def check_url(url: str) -> None:
    """:raises ValueError: `url` is not one that can be connected to."""
    connection_parameters(url, name="", heartbeat=0)


def connection_parameters(
    url: str, *, name: str, heartbeat: int, blocked_timeout: float | None = None, ca: str = ""
) -> pika.URLParameters:
    """Parameters for `url` (`amqp://` or `amqps://`); `name` shows in the broker's list of connections.

    :param heartbeat: seconds; a silent peer is noticed after at most this and 5 s more.
    :param blocked_timeout: seconds for which the broker may block this connection; None for ever.
    :param ca: certificates in PEM to trust the broker by, with `amqps://`; without them the system's are.
    :raises ValueError: the URL is not one.
    :raises ssl.SSLError: `ca` holds no certificates.
    """
    try:
        parameters = pika.URLParameters(url)
    except (IndexError, TypeError) as error:  # what pika makes of a URL without a host, or a user without a password
        raise ValueError("not an AMQP URL") from error
    if parameters.ssl_options is not None:
        parameters.ssl_options = _verified(ca, parameters.host)
    parameters.heartbeat = heartbeat
    parameters.blocked_connection_timeout = blocked_timeout
    parameters.connection_attempts = 1  # AmqpConnection repeats, with jitter and for ever
    parameters.socket_timeout = _CONNECT_TIMEOUT
    parameters.stack_timeout = _HANDSHAKE_TIMEOUT
    parameters.tcp_options = {"TCP_USER_TIMEOUT": _TCP_USER_TIMEOUT_MS}
    parameters.client_properties = {"connection_name": name}
    return parameters


def _verified(ca: str, host: str) -> pika.SSLOptions:
    """TLS 1.2 at least, with certificate and host name checked, whatever the URL's `ssl_options` may ask for."""
    context = ssl.create_default_context(cadata=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return pika.SSLOptions(context, host)
