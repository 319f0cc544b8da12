"""`make test-compose`, the third part: runs docker-compose.prod.yml: three of each service, a proxy, and load.

Each container is restarted in turn, and no call may fail. Then one of each kind is killed: the answers meanwhile are
those of docs/reliability.md, and soon after its return all is well.
"""

import re
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from scripts.check_images import check_image, docker
from scripts.compose_checks import (
    HEALTHY_SECONDS,
    CheckFailedError,
    brought_up,
    passed,
    require,
    require_all_healthy,
    until,
)
from scripts.compose_project import ComposeProject
from scripts.ports import free_ports
from scripts.production_secrets import make_secrets
from scripts.quote_client import QuoteClient
from scripts.steady_load import SteadyLoad, outcomes

FILES = ("docker-compose.yml", "docker-compose.prod.yml")
REPLICAS = 3
RATE = 50.0
"""Calls a second."""

_RECOVERY_SECONDS = 15.0
_AWAY_SECONDS = 2.0  # how long a container that was killed stays away
_CALM_SECONDS = 2.0  # without a failed call: all is well
_STOP_SECONDS = "20"

_UNSAVED = {"database-unavailable", "history-not-saved"}
_UNASKED = {"broker-unavailable", "stock-service-unavailable", "stock-service-timeout"}
ANSWERS_OF_KILLS: Mapping[str, set[str]] = {
    "api-service": set(),  # the proxy asks another one
    "stock-service": set(),  # the broker gives its calls to another one
    "redis": set(),
    "db": _UNSAVED,
    "rabbitmq": _UNASKED,
}
"""What may be answered beside quotes while one container of the service is away."""


def check_production(program: tuple[str, ...]) -> None:
    """:raises CheckFailedError: it does not do what it should."""
    https, http = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="stock-quotes-") as directory:
        secrets = Path(directory) / "secrets"
        make_secrets(secrets, ["localhost"])
        settings = {
            "SECRETS_DIR": str(secrets),
            "TRUSTED_HOSTS": "localhost",
            "HTTPS_PORT": f"127.0.0.1:{https}",
            "HTTP_PORT": f"127.0.0.1:{http}",
            "QUOTE_PROVIDERS": "recorded",
        }
        with brought_up(program, FILES, settings) as project:
            for services, count in ((("rabbitmq", "db", "redis"), 1), (("api-service", "stock-service"), REPLICAS)):
                require_all_healthy(project, services, count)
            require_all_healthy(project, ("proxy",))
            for service in ("api-service", "stock-service"):
                check_image(project.containers(service)[0])
            tls = ssl.create_default_context(cafile=secrets / "tls_certificate")
            client = QuoteClient(https, tls)
            _check_edge(client, QuoteClient(http))
            _log_in(project, client)
            _under_load(client, partial(_check_restarts, project))
            _under_load(client, partial(_check_kills, project))


def _check_edge(client: QuoteClient, without_tls: QuoteClient) -> None:
    require(client.get("/healthz").status == HTTPStatus.OK, "the API answers behind TLS")
    require(client.get("/readyz").status == HTTPStatus.NOT_FOUND, "/readyz is not for those outside")
    moved = without_tls.get("/api/v1/stats")
    require(
        moved.status == HTTPStatus.PERMANENT_REDIRECT,
        f"without TLS: 308 to {moved.headers.get('Location')}",
        str(moved),
    )
    refused = client.login("admin", "admin")
    require(refused.status == HTTPStatus.UNAUTHORIZED, "there are no demo users", str(refused))


def _log_in(project: ComposeProject, client: QuoteClient) -> None:
    command = ("python", "api_service/commands.py", "users", "add", "tester", "--generate-password")
    shown = project.run("exec", "-T", "api-service", *command)
    password = re.search(r"password[^:]*: *(\S+)", shown, re.IGNORECASE)
    if not password:
        raise CheckFailedError(f"no password was shown: {shown}")
    require(client.login("tester", password[1]).status == HTTPStatus.OK, "a user made on the command line logs in")


def _under_load(client: QuoteClient, check: Callable[[SteadyLoad], None]) -> None:
    load = SteadyLoad(client, RATE)
    try:
        check(load)
    finally:
        load.finish()


def _check_restarts(project: ComposeProject, load: SteadyLoad) -> None:
    """Nobody else asks meanwhile, so that the history has the calls of this load and no other."""
    began = time.monotonic()
    for service in ("api-service", "stock-service"):
        for container in project.containers(service):
            docker("restart", "-t", _STOP_SECONDS, container)
            _wait_until_healthy(container)
        passed(f"each of the {REPLICAS} containers of {service} was restarted")
    seconds = time.monotonic() - began
    calls = load.finish()
    require(
        not any(call.failed for call in calls), f"{len(calls)} calls in {seconds:.0f} s, none failed", outcomes(calls)
    )
    passed(f"the slowest took {max(call.ended - call.asked for call in calls):.1f} s")
    rows = project.run(
        "exec", "-T", "db", "psql", "-U", "stock", "-d", "stock", "-Atc", "SELECT count(*) FROM history"
    )
    require(int(rows) == len(calls), f"each is in the history once ({rows.strip()} rows)")


def _check_kills(project: ComposeProject, load: SteadyLoad) -> None:
    for service, allowed in ANSWERS_OF_KILLS.items():
        began = time.monotonic()
        container = project.containers(service)[0]
        docker("kill", container)
        time.sleep(_AWAY_SECONDS)
        docker("start", container)
        _wait_until_healthy(container)
        back = time.monotonic()
        until(partial(_is_calm, load), _RECOVERY_SECONDS, f"no call fails any more after {service} is back")
        calls = load.since(began)
        failed = [call for call in calls if call.failed]
        strange = [call for call in failed if call.problem not in allowed]
        require(not strange, f"{service} killed: {outcomes(calls)}", f"not in the fault matrix: {outcomes(strange)}")
        last = max((call.ended for call in failed), default=back)
        passed(f"all was well {max(0.0, last - back):.1f} s after its return")


def _is_calm(load: SteadyLoad) -> bool:
    last = load.since(time.monotonic() - _CALM_SECONDS)
    return len(last) > RATE * _CALM_SECONDS / 2 and not any(call.failed for call in last)


def _wait_until_healthy(container: str) -> None:
    until(partial(_is_healthy, container), HEALTHY_SECONDS, f"{container[:12]} is healthy")


def _is_healthy(container: str) -> bool:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container).strip() == "healthy"
