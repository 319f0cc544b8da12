"""The settings of this service, read once at start; every problem is reported in one message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from amqp_rpc import check_url
from api_service.secret_key import DEVELOPMENT_KEY, HOW_TO_MAKE_A_KEY, weakness_of_key
from api_service.web_settings import WebSettings, read_web_settings
from service_kit import settings as kit
from service_kit.settings import LOG_LEVELS, EnvironmentReader

AppEnv = Literal["development", "production"]
StockTransport = Literal["rpc", "http"]

_MAX_DATABASE_CONNECTIONS: Final = 16
"""PostgreSQL allows 100 in all unless told otherwise; this leaves room for six processes."""

_DATABASES: Final = ("sqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Values that hold credentials stay out of the representation."""

    app_env: AppEnv
    database_uri: str = field(repr=False)
    secret_key: str = field(repr=False)
    secret_key_fallback: str = field(repr=False)
    """Accepted too, while a key is replaced; empty when there is none."""
    stock_transport: StockTransport
    rabbitmq_url: str = field(repr=False)
    rabbitmq_ca: str = field(repr=False)
    """Certificates in PEM to trust the broker by; empty for those of the system."""
    stock_service_url: str
    port: int
    metrics_port: int
    """Where Prometheus is answered; 0: nowhere."""
    bind_host: str
    processes: int
    threads: int
    """Requests at a time in each process; `flask run` starts one for each request."""
    log_level: str
    traces_endpoint: str
    """Where spans are sent; empty: nowhere."""
    web: WebSettings

    @property
    def in_production(self) -> bool:
        return self.app_env == "production"

    @property
    def stock_calls(self) -> int:
        """Calls to the stock service at a time in each process: a fifth of the threads stays free for the others."""
        return max(1, self.threads * 4 // 5)

    @property
    def database_connections(self) -> int:
        """In each process: a request holds one for milliseconds, so a few serve many threads."""
        return min(self.threads, _MAX_DATABASE_CONNECTIONS)


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    :raises SettingsError: any of them is wrong or missing; the text lists all.
    """
    reader = EnvironmentReader(environ)
    app_env = cast("AppEnv", reader.choice("APP_ENV", "production", ("development", "production")))
    broker_ca = reader.certificates("RABBITMQ_CA")
    amqp = ("amqps",) if broker_ca else ("amqp", "amqps")
    settings = Settings(
        app_env=app_env,
        database_uri=_database_uri(reader),
        secret_key=_secret_key(reader, app_env),
        secret_key_fallback=_good_key(reader, "SECRET_KEY_FALLBACK"),
        stock_transport=cast("StockTransport", reader.choice("STOCK_TRANSPORT", "rpc", ("rpc", "http"))),
        rabbitmq_url=reader.url("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2F", amqp, check_url),
        rabbitmq_ca=broker_ca,
        stock_service_url=reader.url("STOCK_SERVICE_URL", "http://localhost:5001", ("http", "https")),
        port=(port := reader.integer("PORT", 5000, low=1, high=65_535)),
        metrics_port=kit.metrics_port(reader, port),
        bind_host=reader.text("BIND_HOST", "127.0.0.1"),
        processes=reader.integer("WEB_CONCURRENCY", 1, low=1, high=64),
        threads=reader.integer("WEB_THREADS", 80, low=1, high=1024),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
        traces_endpoint=kit.traces_endpoint(reader),
        web=read_web_settings(reader),
    )
    reader.check()
    return settings


def load_or_exit() -> Settings:
    """Read the settings of this process; wrong ones end it with a message on standard error and status 2."""
    return kit.load_or_exit(load)


def _database_uri(reader: EnvironmentReader) -> str:
    """A relative SQLite path is taken from the Flask instance folder."""
    uri = reader.text("DATABASE_URI", "sqlite:///api_service.sqlite3")
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        reader.problem(
            "DATABASE_URI", "must be a database URL, for example sqlite:///file or postgresql+psycopg://..."
        )
        return uri
    if url.drivername not in _DATABASES:
        reader.problem("DATABASE_URI", f"must start with one of: {', '.join(_DATABASES)}")
    elif url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        reader.problem("DATABASE_URI", "must name a file: each connection would see a database of its own in memory")
    return uri


def _secret_key(reader: EnvironmentReader, app_env: AppEnv) -> str:
    """Development has a key of its own; one that is set must be good there too."""
    key = _good_key(reader, "SECRET_KEY")
    if not key and app_env == "development":
        return DEVELOPMENT_KEY
    if not key:
        reader.problem("SECRET_KEY", f"is required: {HOW_TO_MAKE_A_KEY}; or set APP_ENV=development to try it out")
    return key


def _good_key(reader: EnvironmentReader, name: str) -> str:
    """Empty when it is not set."""
    key = reader.text(name, "")
    if key and (weakness := weakness_of_key(key)):
        reader.problem(name, f"{weakness}: {HOW_TO_MAKE_A_KEY}")
    return key
