"""Reading settings from the environment: every problem is collected, so that one message lists them all.

`X` may also come from a file named by `X_FILE` (Docker and Kubernetes secrets). An empty value counts as unset,
because compose files pass `${X:-}` through.
"""

import os
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

_EXIT_WRONG_SETTINGS: Final = 2
_Settings = TypeVar("_Settings")


class SettingsError(ValueError):
    """Wrong or missing settings; the text lists all of them, one a line, and never shows a value."""


def metrics_port(reader: "EnvironmentReader", port: int) -> int:
    """Where Prometheus is answered, on the address of `port` and beside it; 0: nowhere."""
    chosen = reader.integer("METRICS_PORT", 0, low=0, high=65_535)
    if chosen == port:
        reader.problem("METRICS_PORT", "must be another port than PORT")
    return chosen


def traces_endpoint(reader: "EnvironmentReader") -> str:
    """Where spans are sent, an OTLP address over HTTP (http://collector:4318); empty: nowhere."""
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    return reader.url(name, "", ("http", "https")) if reader.text(name, "") else ""


def load_or_exit(load: Callable[[Mapping[str, str]], _Settings]) -> _Settings:
    """Read this process's environment; wrong settings end it with their message and status 2, not a traceback."""
    try:
        return load(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_EXIT_WRONG_SETTINGS) from None


class EnvironmentReader:
    """Reads typed settings from a mapping and remembers what was wrong; call `check` at the end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """The value of `name`, or of the file named by `name`_FILE; without a default it is required."""
        value = self._environment.get(name) or self._from_file(name) or default
        if value is None:
            self.problem(name, "is required")
            return ""
        return value

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name, str(default))
        try:
            number = int(text)
        except ValueError:
            self.problem(name, "must be a whole number")
            return default
        if not low <= number <= high:
            self.problem(name, f"must be from {low} to {high}")
        return number

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.problem(name, f"must be one of: {', '.join(allowed)}")
        return value

    def names(self, name: str, default: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """A list separated by commas, in order, each of `allowed` at most once."""
        chosen = tuple(part.strip() for part in self.text(name, default).split(",") if part.strip())
        if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(allowed):
            self.problem(name, f"must be a list, separated by commas and without repeats, of: {', '.join(allowed)}")
        return chosen

    def url(
        self, name: str, default: str, schemes: Sequence[str], check: Callable[[str], object] = lambda _: None
    ) -> str:
        """A URL with a host; `check` raises `ValueError` for one that its user could not use."""
        value = self.text(name, default)
        try:
            parts = urlsplit(value)
            valid = parts.scheme in schemes and bool(parts.hostname)
            _ = parts.port  # raises for a port that is not one
            check(value)
        except ValueError:
            valid = False
        if not valid:
            self.problem(name, f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    def certificates(self, name: str) -> str:
        """Certificates in PEM; empty when there are none."""
        value = self.text(name, "")
        if not value:
            return ""
        try:
            ssl.create_default_context(cadata=value)
        except (ssl.SSLError, ValueError):
            self.problem(name, "must be one or more certificates in PEM (-----BEGIN CERTIFICATE-----)")
        return value

    def problem(self, name: str, text: str) -> None:
        """Note that setting `name` is wrong, for instance when two settings do not go together."""
        self._problems.append(f"{name} {text}")

    def check(self) -> None:
        """:raises SettingsError: any setting read so far is wrong or missing."""
        if self._problems:
            raise SettingsError("Wrong settings:\n" + "\n".join(f"  {problem}" for problem in self._problems))

    def _from_file(self, name: str) -> str | None:
        path = self._environment.get(f"{name}_FILE")
        if not path:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            self.problem(f"{name}_FILE", "names a file that cannot be read")
            return ""
