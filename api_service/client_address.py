"""From which address a request comes, in one spelling; and the network that it is counted by."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from flask import has_request_context, request

_HOST_BITS: Final = 64
"""Bits of an IPv6 address that name no network: whoever is in it chooses them freely
(https://www.rfc-editor.org/rfc/rfc4291#section-2.5.4)."""

_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::\d+)?|([\d.]+):\d+", re.ASCII)
"""As some proxies write the client, in the two forms of https://www.rfc-editor.org/rfc/rfc7239#section-6."""


def client_address() -> IPv4Address | IPv6Address | None:
    """The address of the client of this request; None outside a request, or where the server knows none."""
    return parse_address(request.remote_addr) if has_request_context() else None


def client_network() -> str:
    """What this request is counted by: the IPv4 address, the /64 of an IPv6 address, or `unknown`."""
    address = client_address()
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/{128 - _HOST_BITS}"
    return "unknown" if address is None else str(address)


def parse_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """`text` as an address, without its port; None for anything else. IPv4 in IPv6 clothes is IPv4."""
    text = text or ""
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1] or with_port[2] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # By its number: the zone after a % is chosen by the sender of a header, and may be any text.
    return address.ipv4_mapped or IPv6Address(int(address))
