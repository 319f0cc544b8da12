"""The compose files as data, for the rules."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILES = ("docker-compose.yml", "docker-compose-http.yml")


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def services_of(file: str) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(text_of(file))["services"]
    return services


def every_service() -> list[tuple[str, str, dict[str, Any]]]:
    """File, name and definition of each service in each file."""
    return [(file, name, service) for file in COMPOSE_FILES for name, service in services_of(file).items()]
