"""The settings of the edge: how often one may call, who stands in front, and which web pages may read the answers."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from limits import RateLimitItem, parse_many

from service_kit.settings import EnvironmentReader

Rate = tuple[RateLimitItem, ...]
"""All of them hold at once; none of them: no limit."""

_OFF: Final = "off"
_MAX_PROXIES: Final = 5


@dataclass(frozen=True, slots=True)
class Rates:
    quotes: Rate
    """Calls that ask for quotes, for each user."""
    reads: Rate
    """All other calls with a token, for each user."""
    login: Rate
    """Failed log-ins, for each address."""
    address: Rate
    """Everything but the health check, for each address."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    rates: Rates
    cache_url: str = field(repr=False)
    """Redis, in which all processes count together; empty: each counts for itself."""
    trusted_proxies: int
    """How many proxies in front set X-Forwarded-*; 0: nobody does, and the headers mean nothing."""
    trusted_hosts: tuple[str, ...]
    """The names under which the API is called; `.example.com` takes every name below; none: any."""
    cors_origins: tuple[str, ...]
    """The web pages that may read the answers, each as scheme://host[:port]."""


def read_web_settings(reader: EnvironmentReader) -> WebSettings:
    """Read them; what is wrong is noted in `reader`."""
    return WebSettings(
        rates=Rates(
            quotes=_rate(reader, "RATE_LIMIT_QUOTES", "6000/minute"),
            reads=_rate(reader, "RATE_LIMIT_READS", "6000/minute"),
            login=_rate(reader, "RATE_LIMIT_LOGIN", "30/minute"),
            address=_rate(reader, "RATE_LIMIT_ADDRESS", "30000/minute"),
        ),
        cache_url=reader.url("CACHE_URL", "", ("redis", "rediss")) if reader.text("CACHE_URL", "") else "",
        trusted_proxies=reader.integer("TRUSTED_PROXIES", 0, low=0, high=_MAX_PROXIES),
        trusted_hosts=_trusted_hosts(reader),
        cors_origins=_origins(reader),
    )


def _rate(reader: EnvironmentReader, name: str, default: str) -> Rate:
    """A rate in the notation of https://limits.readthedocs.io/en/stable/quickstart.html#rate-limit-string-notation."""
    text = reader.text(name, default).strip()
    if text.lower() == _OFF:
        return ()
    try:
        rate = tuple(parse_many(text))
    except ValueError:
        rate = ()
    if not rate or any(limit.amount < 1 for limit in rate):
        reader.problem(name, "must be a rate such as 100/minute or 10/second;2000/hour, or off")
    return rate


def _trusted_hosts(reader: EnvironmentReader) -> tuple[str, ...]:
    hosts = _list(reader, "TRUSTED_HOSTS")
    if any("/" in host or "*" in host or not urlsplit(f"//{host}").hostname for host in hosts):
        reader.problem("TRUSTED_HOSTS", "must be host names, separated by commas; .example.com takes all below it")
    return hosts


def _origins(reader: EnvironmentReader) -> tuple[str, ...]:
    origins = _list(reader, "CORS_ORIGINS")
    if not all(map(_is_origin, origins)):
        reader.problem(
            "CORS_ORIGINS",
            "must be origins, separated by commas, each exactly as a browser sends it: https://host[:port]",
        )
    return origins


def _is_origin(text: str) -> bool:
    """An origin as https://www.rfc-editor.org/rfc/rfc6454#section-6.2 writes it: in small letters, and no path."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "*" not in text
        and text == f"{parts.scheme}://{host}{port}"
    )


def _list(reader: EnvironmentReader, name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in reader.text(name, "").split(",") if part.strip())
