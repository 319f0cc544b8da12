"""One throw-away Docker Compose project, for compose v2 (`docker compose`) and v1 (`docker-compose`) alike."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from tempfile import NamedTemporaryFile

from scripts.services import ROOT

_NAME = "stock-quotes-test"
_COMMAND_SECONDS = 600.0  # building the images the first time
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "DOCKER_", "COMPOSE_", "SSL_", "XDG_")


class ComposeError(RuntimeError):
    """Compose is not there, or a command failed; the text ends with what it printed."""


def find_compose() -> tuple[str, ...]:
    for program in (("docker", "compose"), ("docker-compose",)):
        if _succeeds((*program, "version")):
            return program
    raise ComposeError("Neither `docker compose` nor `docker-compose` works here.")


class ComposeProject:
    """Starts, watches and removes the containers of compose files laid over each other, apart from the user's own."""

    def __init__(self, program: tuple[str, ...], files: Sequence[str], settings: Mapping[str, str]) -> None:
        self._environment = _environment(settings)
        # The user's .env is for the user's project: an empty file takes its place.
        self._no_settings = NamedTemporaryFile(prefix="stock-quotes-", suffix=".env")  # noqa: SIM115  lives as long as self
        layers = [part for file in files for part in ("-f", str(ROOT / file))]
        self._command = (*program, "--env-file", self._no_settings.name, "-p", _NAME, *layers)

    def run(self, *arguments: str) -> str:
        """Run a compose command and return what it printed.

        :raises ComposeError: it failed.
        """
        done = subprocess.run(
            [*self._command, *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            tail = "\n".join(done.stdout.splitlines()[-40:])
            raise ComposeError(f"compose {' '.join(arguments)} failed:\n{tail}")
        return done.stdout

    def healthy(self, service: str) -> int:
        """How many containers of a service are healthy; both versions of compose show it in this table."""
        return self.run("ps", service).count("(healthy)")

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.run("ps", "-q", service).split()

    def remove(self) -> None:
        """Stop and remove the containers, their network and their volumes."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What Docker needs, without the user's own settings of the services."""
    environment = {key: value for key, value in os.environ.items() if key.startswith(_PASSED_ON)}
    if not _succeeds(("docker", "buildx", "version")):  # then only the classic builder works
        environment |= {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    return environment | dict(settings)


def _succeeds(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
