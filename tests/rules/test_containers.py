"""What every image and every compose service must be."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from service_kit.time_budget import CONTAINER_STOP_GRACE
from tests.rules.compose_files import COMPOSE_FILES, PRODUCTION, ROOT, every_service, services_of

SHARED_ROOMS = {"stock_contract", "amqp_rpc", "service_kit"}
DOCKERFILES = ("api_service/Dockerfile", "stock_service/Dockerfile")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (ROOT / dockerfile).read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def final_stage(dockerfile: str) -> list[tuple[str, str]]:
    found = instructions(dockerfile)
    start = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def test_compose_file_follows_the_compose_specification() -> None:
    files = [*COMPOSE_FILES, "docker-compose.override.yml", PRODUCTION]
    check = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", *files]
    done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_passes_hadolint(dockerfile: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, dockerfile], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_image_holds_only_the_rooms_that_its_process_may_import(dockerfile: str) -> None:
    copied = [rest.split() for word, rest in instructions(dockerfile) if word == "COPY" and "--from" not in rest]
    rooms = {source for *sources, _ in copied for source in sources} - {"requirements.txt", "requirements-otel.txt"}
    assert rooms == SHARED_ROOMS | {Path(dockerfile).parent.name}


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_image_runs_as_a_numbered_ordinary_user_without_a_shell(dockerfile: str) -> None:
    final = dict(final_stage(dockerfile))
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", final["USER"])
    assert final["CMD"].startswith('["')


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_final_image_installs_nothing_and_holds_no_secret(dockerfile: str) -> None:
    for word, rest in final_stage(dockerfile):
        assert word != "RUN" or not re.search(r"\b(pip|apt-get|apk)\b", rest)
        assert word != "ENV" or not re.search(r"(?i)secret|password|_url|_uri", rest)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_every_stage_stands_on_a_base_that_can_be_pinned_and_says_what_it_is(dockerfile: str) -> None:
    found = instructions(dockerfile)
    bases = [rest.partition(" AS ")[0] for word, rest in found if word == "FROM"]
    assert found[0] == ("ARG", "PYTHON_IMAGE")
    assert bases == ["${PYTHON_IMAGE:-python:3.13-slim}"] * 2
    labels = dict(final_stage(dockerfile))["LABEL"]
    for name in ("title", "description", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_packages_are_installed_by_hash_only(dockerfile: str) -> None:
    installs = [
        rest for word, rest in instructions(dockerfile) if word == "RUN" and re.search(r"\bpip\b.* install ", rest)
    ]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]


@pytest.mark.parametrize(("file", "name", "service"), every_service())
def test_service_stops_in_its_own_time_and_comes_back(file: str, name: str, service: dict[str, object]) -> None:
    assert service["init"] is True
    assert service["stop_grace_period"] == f"{CONTAINER_STOP_GRACE:.0f}s"
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert service["logging"]
    assert name == "migrate" or service["healthcheck"]


@pytest.mark.parametrize(("file", "name", "service"), every_service())
def test_our_own_processes_may_do_nothing_to_the_system(file: str, name: str, service: dict[str, object]) -> None:
    if "build" in service:
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108  in a container
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pids_limit"]
        assert service["mem_limit"]


@pytest.mark.parametrize(("file", "name", "service"), every_service())
def test_only_the_api_is_published_and_only_here(file: str, name: str, service: dict[str, object]) -> None:
    published = ["127.0.0.1:${PORT:-5000}:5000"]
    over_http = file == "docker-compose-http.yml" and name == "api-service"
    assert service.get("ports") == (published if over_http else None)
    assert services_of("docker-compose.override.yml") == {"api-service": {"ports": published}}


@pytest.mark.parametrize(("file", "name", "service"), every_service())
def test_any_number_of_containers_may_run(file: str, name: str, service: dict[str, object]) -> None:
    assert "container_name" not in service


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_the_database_is_migrated_once_before_the_api_starts(file: str) -> None:
    services = services_of(file)
    assert services["api-service"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "upgrade" not in str(services["api-service"].get("command"))


@pytest.mark.parametrize("file", COMPOSE_FILES)
@pytest.mark.parametrize("app_env", ["production", "development"])
def test_the_migration_succeeds_and_makes_demo_users_in_development_only(
    file: str, app_env: str, tmp_path: Path
) -> None:
    """Its command, as it stands in the file: in production it must not stop the API from starting."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "APP_ENV": app_env,
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URI": f"sqlite:///{tmp_path}/api.sqlite3",
    }
    command = services_of(file)["migrate"]["command"]
    assert command[0] == "python"  # no shell between it and the signals
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("Created user admin" in done.stdout) == (app_env == "development")
    assert ("users add NAME --admin" in done.stdout) == (app_env == "production")
