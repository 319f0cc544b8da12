"""docker-compose.prod.yml over docker-compose.yml: no default of development is left, one door."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from api_service import settings as api_settings
from scripts import check_images, production_secrets
from service_kit.time_budget import CLIENT_ANSWER, CONTAINER_STOP_GRACE
from stock_service import settings as stock_settings
from tests.rules.compose_files import PRODUCTION, ROOT, in_production, services_of, text_of
from tests.rules.test_broker_definitions import is_password
from tests.rules.test_containers import DOCKERFILES, final_stage

SERVICES = in_production()
OURS = ("api-service", "migrate", "stock-service")
PUBLIC = re.compile(r"(?i)stock:stock|api:api|worker:worker|development|changeme")
INTERPOLATION = re.compile(r"\$\{([A-Z_]+):(-|\?)([^}]*)\}")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("production") / "secrets"
    production_secrets.make_secrets(directory, ["quotes.example.com", "192.0.2.1"])
    return directory


def resolved(value: str) -> str:
    """What an operator gets who sets nothing but what is demanded."""
    return INTERPOLATION.sub(lambda found: "quotes.example.com" if found[2] == "?" else found[3], value)


def environment_of(service: str, secrets: Path) -> dict[str, str]:
    environment = {name: resolved(value) for name, value in SERVICES[service]["environment"].items()}
    return {name: value.replace("/run/secrets", str(secrets)) for name, value in environment.items()}


def test_only_the_proxy_is_published() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_nothing_that_everybody_knows_is_left() -> None:
    assert [name for name, service in SERVICES.items() if PUBLIC.search(resolved(json.dumps(service)))] == []


@pytest.mark.parametrize("service", OURS)
def test_secrets_come_from_files_that_the_service_is_given(service: str, secrets: Path) -> None:
    """Every password and key of the settings, and of the files only those of this service."""
    files = {name: value for name, value in SERVICES[service]["environment"].items() if name.endswith("_FILE")}
    named = {value.removeprefix("/run/secrets/") for name, value in files.items() if name != "WORKER_HEARTBEAT_FILE"}
    assert named == set(SERVICES[service]["secrets"])
    for name in files.keys() - {"WORKER_HEARTBEAT_FILE"}:
        assert SERVICES[service]["environment"][name.removesuffix("_FILE")] == ""


@pytest.mark.parametrize("service", OURS)
def test_the_services_accept_their_settings(service: str, secrets: Path) -> None:
    environment = environment_of(service, secrets)
    if service == "stock-service":
        worker = stock_settings.load(environment)
        assert worker.rabbitmq_url.startswith("amqp://worker:")
        assert worker.logs_as_json
        assert "recorded" not in environment["QUOTE_PROVIDERS"]
        return
    api = api_settings.load(environment)
    assert api.in_production
    assert api.database_uri.endswith("@db:5432/stock")
    assert api.rabbitmq_url.startswith("amqp://api:")
    assert not api.secret_key_fallback


def test_the_passwords_fit_together_and_are_random(secrets: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    production_secrets.make_secrets(again, ["x.example"])
    definitions = json.loads((secrets / "rabbitmq_definitions.json").read_text(encoding="utf-8"))
    for user in definitions["users"]:
        url = urlsplit((secrets / f"rabbitmq_url_{user['name']}").read_text(encoding="utf-8"))
        assert is_password(url.password or "", user)
    for name in ("secret_key", "database_password", "cache_url", "rabbitmq_url_api", "tls_key"):
        assert (secrets / name).read_text(encoding="utf-8") != (again / name).read_text(encoding="utf-8")


def test_others_on_the_machine_cannot_read_the_secrets_and_git_leaves_them_out(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o644}  # other users in the containers
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/secrets/secret_key"], cwd=ROOT, check=False)
    assert ignored.returncode in {0, 128}  # 128: not a clone


def test_secrets_that_are_there_are_kept(secrets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (secrets / "secret_key").read_text(encoding="utf-8")
    assert production_secrets.main(["x.example", "--directory", str(secrets)]) == 1
    assert "there already" in capsys.readouterr().err
    assert (secrets / "secret_key").read_text(encoding="utf-8") == before


def test_every_secret_of_the_file_is_made(secrets: Path) -> None:
    described: dict[str, Any] = yaml.safe_load(text_of(PRODUCTION))["secrets"]
    assert {Path(each["file"]).name for each in described.values()} == set(described)
    mounted = {"rabbitmq_definitions.json"}
    assert set(described) | mounted == {file.name for file in secrets.iterdir()}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_bounded_and_gains_no_privilege(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["stop_grace_period"] == f"{CONTAINER_STOP_GRACE:.0f}s"
    if name not in {"rabbitmq", "db"}:  # their images change to a user of their own
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108  in a container


def test_only_who_must_reaches_the_outside() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, joined in networks.items() if "outside" in joined} == {"proxy", "stock-service"}
    assert {name for name, joined in networks.items() if "front" in joined} == {"proxy", "api-service"}
    described = yaml.safe_load(text_of(PRODUCTION))["networks"]
    assert {name for name, network in described.items() if network.get("internal")} == {"front", "back"}


def test_the_proxy_waits_longer_than_the_api_takes_and_repeats_no_slow_call() -> None:
    """A call that got no answer in time is not asked again: that would be past the caller's patience."""
    configuration = (ROOT / "deploy/proxy/nginx.conf").read_text(encoding="utf-8")
    seconds = {name: float(value) for name, value in re.findall(r"(proxy_\w+) ([\d.]+)s;", configuration)}
    assert seconds["proxy_read_timeout"] > CLIENT_ANSWER > seconds["proxy_next_upstream_timeout"]
    assert "proxy_next_upstream error timeout;" in configuration  # without non_idempotent: a POST is sent once


def test_the_page_for_operators_has_a_row_for_each_image() -> None:
    """With real images `make test-compose` compares the rows."""
    assert check_images.documented_images().keys() == {SERVICES[name]["image"] for name in OURS}
    for dockerfile in DOCKERFILES:
        assert dict(final_stage(dockerfile))["USER"] == "10001:10001"
    assert {row.user for row in check_images.documented_images().values()} == {"10001:10001"}


def test_the_page_for_operators_explains_every_number_of_the_file() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    settings = set(re.findall(r"\$\{([A-Z_]+)", text_of(PRODUCTION)))
    assert [name for name in settings - {"QUOTE_PROVIDERS"} if f"`{name}" not in page and f"{name}=" not in page] == []


def test_replicas_are_one_number_each() -> None:
    scales = {name: service["scale"] for name, service in services_of(PRODUCTION).items() if "scale" in service}
    assert scales == {"api-service": "${API_REPLICAS:-3}", "stock-service": "${STOCK_REPLICAS:-3}"}
