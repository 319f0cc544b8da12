"""The compose files as data, for the rules."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILES = ("docker-compose.yml", "docker-compose-http.yml")
PRODUCTION = "docker-compose.prod.yml"
"""Laid over the first of them; `in_production` gives the outcome."""

_BY_NAME = {"environment", "depends_on"}


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def services_of(file: str) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(text_of(file))["services"]
    return services


def every_service() -> list[tuple[str, str, dict[str, Any]]]:
    """File, name and definition of each service in each file."""
    return [(file, name, service) for file in COMPOSE_FILES for name, service in services_of(file).items()]


def in_production() -> dict[str, dict[str, Any]]:
    """The services as they are when the production file is laid over docker-compose.yml."""
    base, over = services_of("docker-compose.yml"), services_of(PRODUCTION)
    return {name: _laid_over(base.get(name, {}), over.get(name, {})) for name in base | over}


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = below | above
    for key in _BY_NAME & below.keys() & above.keys():
        merged[key] = below[key] | above[key]
    if "volumes" in below and "volumes" in above:  # by the path inside, as compose does it
        merged["volumes"] = list(
            {_path_inside(each): each for each in [*below["volumes"], *above["volumes"]]}.values()
        )
    return merged


def _path_inside(volume: str) -> str:
    return volume.removesuffix(":ro").rpartition(":")[2]
