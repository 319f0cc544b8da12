"""The settings of both doors of the stock service, read from the environment once at start."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service_kit.settings import EnvironmentReader, SettingsError
from stock_service.providers import FACTORIES

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_EXIT_BAD_SETTINGS: Final = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set; README.md lists the names and defaults."""

    quote_providers: tuple[str, ...]
    """The chain, in order."""
    stooq_url: str
    user_agent: str
    rabbitmq_url: str
    worker_threads: int
    """1 to 256; also the number of calls that a worker takes from the queue at a time."""
    worker_heartbeat_file: Path | None
    """Touched while the worker is alive; container health checks look at its age."""
    bind_host: str
    port: int
    app_env: str
    log_level: str

    @property
    def logs_as_json(self) -> bool:
        return self.app_env == "production"


def load(environment: Mapping[str, str]) -> Settings:
    """Read all settings.

    :raises SettingsError: any of them is wrong; the text lists every one.
    """
    reader = EnvironmentReader(environment)
    settings = Settings(
        quote_providers=reader.names("QUOTE_PROVIDERS", "stooq", tuple(FACTORIES)),
        stooq_url=reader.url("STOOQ_URL", "https://stooq.com/q/l/", ("http", "https")),
        user_agent=_header_text(reader, "USER_AGENT", "stock-quotes/0.1 (+internal)"),
        rabbitmq_url=reader.url("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2F", ("amqp", "amqps")),
        worker_threads=reader.integer("WORKER_THREADS", 8, low=1, high=256),
        worker_heartbeat_file=_optional_path(reader, "WORKER_HEARTBEAT_FILE"),
        bind_host=reader.text("BIND_HOST", "127.0.0.1"),
        port=reader.integer("PORT", 5001, low=1, high=65_535),
        app_env=reader.choice("APP_ENV", "production", ("development", "production")),
        log_level=reader.choice("LOG_LEVEL", "INFO", _LEVELS),
    )
    reader.check()
    return settings


def load_or_exit() -> Settings:
    """Read the settings of this process; wrong ones end it with a message on standard error and status 2."""
    try:
        return load(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_EXIT_BAD_SETTINGS) from None


def _header_text(reader: EnvironmentReader, name: str, default: str) -> str:
    value = reader.text(name, default)
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        reader.problem(name, "must be printable ASCII without spaces around it")
    return value


def _optional_path(reader: EnvironmentReader, name: str) -> Path | None:
    value = reader.text(name, "")
    return Path(value) if value else None
