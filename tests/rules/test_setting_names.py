"""The compose files name just the settings that the services read; .env.example has those, and the files' own."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import pytest

from api_service import settings as api_settings
from service_kit.settings import SettingsError
from stock_service import settings as stock_settings
from tests.rules.compose_files import COMPOSE_FILES, ROOT, services_of, text_of

IN_THE_IMAGE = {"BIND_HOST"}
"""Set by the Dockerfiles: a container listens on its own network."""

FIXED = {"STOCK_TRANSPORT", "WORKER_HEARTBEAT_FILE"} | IN_THE_IMAGE
"""What a compose file decides: its transport, and paths inside the container."""


class Recording(Mapping[str, str]):
    """An environment in which nothing is set, and which remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def settings(self) -> set[str]:
        """Each setting X is looked up as X and then as X_FILE."""
        return {name for name in self.asked if f"{name}_FILE" in self.asked}


def read_by(load: Callable[[Mapping[str, str]], object]) -> set[str]:
    environment = Recording()
    with suppress(SettingsError):
        load(environment)
    return environment.settings()


READ = {
    "api-service": read_by(api_settings.load),
    "stock-service": read_by(stock_settings.load),
}


def passed_to(service: str, file: str) -> set[str]:
    return set(services_of(file)[service]["environment"])


def interpolated(file: str) -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+):-", text_of(file)))


@pytest.mark.parametrize("service", READ)
def test_the_recording_sees_the_settings(service: str) -> None:
    assert {"PORT", "LOG_LEVEL", "RABBITMQ_URL"} <= READ[service]


@pytest.mark.parametrize("file", COMPOSE_FILES)
@pytest.mark.parametrize("service", READ)
def test_compose_passes_no_setting_that_nobody_reads(file: str, service: str) -> None:
    assert passed_to(service, file) <= READ[service]


@pytest.mark.parametrize("service", READ)
def test_compose_passes_every_setting_of_a_service(service: str) -> None:
    passed = set.union(*(passed_to(service, file) for file in COMPOSE_FILES))
    assert passed | IN_THE_IMAGE == READ[service] | IN_THE_IMAGE


def test_every_setting_can_be_given_from_outside() -> None:
    names = set.union(*(interpolated(file) for file in COMPOSE_FILES))
    assert names == set.union(*READ.values()) - FIXED


def test_compose_gives_every_interpolation_a_default() -> None:
    for file in COMPOSE_FILES:
        assert set(re.findall(r"\$\{?([A-Z_]+)", text_of(file))) == interpolated(file)


def test_the_example_explains_every_setting_once() -> None:
    names = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    production = interpolated("docker-compose.prod.yml")
    assert sorted(names) == sorted(production.union(*(interpolated(file) for file in COMPOSE_FILES)))
