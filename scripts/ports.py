"""Ports on 127.0.0.1 that nobody uses."""

import random
import socket

_DICE = random.SystemRandom()
"""Nobody's seed: test runs beside each other that take the same numbers would take the same ports."""

_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Linux gives outgoing connections ports from 32768 on; one of those could be taken between the look and the use."""


def free_ports(count: int) -> list[int]:
    """`count` free ports in a row."""
    while True:
        first = _DICE.choice(_BELOW_EPHEMERAL)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
