"""The settings of both doors of the stock service, read from the environment once at start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from amqp_rpc import check_url
from service_kit import settings as kit
from service_kit.settings import LOG_LEVELS, EnvironmentReader
from stock_service.providers import FACTORIES

_WEB: Final = ("http", "https")
_USER_AGENT: Final = "Mozilla/5.0 (compatible; stock-quotes/0.1; +internal)"
"""Says who we are in the form that Yahoo lets in; a bare library name gets a 429 there."""
_KEYED: Final = "twelvedata"
_LAST: Final = "recorded"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set; README.md lists the names and defaults."""

    quote_providers: tuple[str, ...]
    """The chain, in order."""
    stooq_url: str
    yahoo_url: str
    cboe_url: str
    twelvedata_url: str
    twelvedata_api_key: str = field(repr=False)
    """Empty when there is none; the provider is then not in the chain."""
    user_agent: str
    quote_ttl: int
    """Seconds, 1 to 3600, for which a quote is served from the cache."""
    quote_max_stale: int
    """Seconds, 0 to 86400, for which it is served when every provider fails."""
    cache_url: str = field(repr=False)
    """Redis, for stock services that share a cache; empty for a cache in memory."""
    rabbitmq_url: str = field(repr=False)
    rabbitmq_ca: str = field(repr=False)
    """Certificates in PEM to trust the broker by; empty for those of the system."""
    worker_threads: int
    """1 to 256; also the number of calls that a worker takes from the queue at a time."""
    worker_heartbeat_file: Path | None
    """Touched while the worker is alive; container health checks look at its age."""
    bind_host: str
    port: int
    metrics_port: int
    """0: nobody is answered."""
    app_env: str
    log_level: str
    traces_endpoint: str
    """Where spans are sent; empty: nowhere."""

    @property
    def logs_as_json(self) -> bool:
        return self.app_env == "production"


def load(environment: Mapping[str, str]) -> Settings:
    """Read all settings.

    :raises SettingsError: any of them is wrong; the text lists every one.
    """
    reader = EnvironmentReader(environment)
    named = reader.names("QUOTE_PROVIDERS", "stooq,yahoo,cboe", tuple(FACTORIES))
    key = _header_text(reader, "TWELVEDATA_API_KEY", "")
    broker_ca = reader.certificates("RABBITMQ_CA")
    amqp = ("amqps",) if broker_ca else ("amqp", "amqps")
    settings = Settings(
        quote_providers=_chain(reader, named, has_key=bool(key)),
        stooq_url=reader.url("STOOQ_URL", "https://stooq.com/q/l/", _WEB),
        yahoo_url=_folder(reader, "YAHOO_URL", "https://query1.finance.yahoo.com/v8/finance/chart/"),
        cboe_url=_folder(reader, "CBOE_URL", "https://cdn.cboe.com/api/global/delayed_quotes/quotes/"),
        twelvedata_url=_folder(reader, "TWELVEDATA_URL", "https://api.twelvedata.com/"),
        twelvedata_api_key=key,
        user_agent=_header_text(reader, "USER_AGENT", _USER_AGENT),
        quote_ttl=reader.integer("QUOTE_TTL", 60, low=1, high=3600),
        quote_max_stale=reader.integer("QUOTE_MAX_STALE", 3600, low=0, high=86_400),
        cache_url=_optional_url(reader, "CACHE_URL", ("redis", "rediss")),
        rabbitmq_url=reader.url("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2F", amqp, check_url),
        rabbitmq_ca=broker_ca,
        worker_threads=reader.integer("WORKER_THREADS", 8, low=1, high=256),
        worker_heartbeat_file=_optional_path(reader, "WORKER_HEARTBEAT_FILE"),
        bind_host=reader.text("BIND_HOST", "127.0.0.1"),
        port=(port := reader.integer("PORT", 5001, low=1, high=65_535)),
        metrics_port=kit.metrics_port(reader, port),
        app_env=reader.choice("APP_ENV", "production", ("development", "production")),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
        traces_endpoint=kit.traces_endpoint(reader),
    )
    reader.check()
    return settings


def load_or_exit() -> Settings:
    """Read the settings of this process; wrong ones end it with a message on standard error and status 2."""
    return kit.load_or_exit(load)


def _chain(reader: EnvironmentReader, named: tuple[str, ...], *, has_key: bool) -> tuple[str, ...]:
    """The provider with a key joins when there is one: where it is named, else after the others that are live."""
    if has_key and _KEYED not in named:
        at = named.index(_LAST) if named[-1:] == (_LAST,) else len(named)
        return (*named[:at], _KEYED, *named[at:])
    chain = tuple(name for name in named if name != _KEYED or has_key)
    if named and not chain:
        reader.problem("TWELVEDATA_API_KEY", "is required, because QUOTE_PROVIDERS names no other provider")
    return chain


def _folder(reader: EnvironmentReader, name: str, default: str) -> str:
    """A base address, to which a path is added."""
    address = reader.url(name, default, _WEB)
    return address if address.endswith("/") else f"{address}/"


def _header_text(reader: EnvironmentReader, name: str, default: str) -> str:
    value = reader.text(name, default)
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        reader.problem(name, "must be printable ASCII without spaces around it")
    return value


def _optional_url(reader: EnvironmentReader, name: str, schemes: Sequence[str]) -> str:
    return reader.url(name, "", schemes) if reader.text(name, "") else ""


def _optional_path(reader: EnvironmentReader, name: str) -> Path | None:
    value = reader.text(name, "")
    return Path(value) if value else None
