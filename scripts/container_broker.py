"""A RabbitMQ in a Docker container, with the same levers as a private node: for machines that have only Docker."""

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from scripts.amqp_probe import NotReachableError, check_broker
from scripts.ports import free_ports
from scripts.private_broker import BrokerError

_IMAGE = "rabbitmq:4.3"
_DOCKER = os.environ.get("DOCKER", "docker")
_BOOT_SECONDS = 90.0
_POLL_SECONDS = 0.2
_PULL_SECONDS = 600.0  # the first start may have to fetch the image


def docker_answers() -> bool:
    try:
        return subprocess.run([_DOCKER, "info"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class ContainerBroker:
    """A broker of one's own; Docker removes the container and its data when `stop` is called."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self._container = ""

    @property
    def url(self) -> str:
        return self.url_for("/")

    def url_for(self, vhost: str, user: str = "guest", password: str = "guest") -> str:  # noqa: S107  RabbitMQ's own
        return f"amqp://{user}:{password}@127.0.0.1:{self._port}/{quote(vhost, safe='')}"

    def start(self) -> None:
        """Start the container, or start it again after `kill`, and wait until the broker lets clients in."""
        if self._container:
            _docker("start", self._container)
        else:
            publish = f"127.0.0.1:{self._port}:5672"
            self._container = _docker("run", "--detach", "--rm=false", "--publish", publish, _IMAGE).strip()
        self._wait_until_ready()

    def stop(self) -> None:
        if self._container:
            _docker("rm", "--force", "--volumes", self._container)
            self._container = ""

    def kill(self) -> None:
        _docker("kill", self._container)

    def ctl(self, *arguments: str) -> str:
        return _docker("exec", self._container, "rabbitmqctl", "--quiet", *arguments)

    def stop_app(self) -> None:
        self.ctl("stop_app")

    def start_app(self) -> None:
        self.ctl("start_app")

    def add_vhost(self, name: str) -> str:
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return self.url_for(name)

    def import_definitions(self, file: Path) -> None:
        _docker("cp", str(file), f"{self._container}:/definitions.json")
        self.ctl("import_definitions", "/definitions.json")

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _BOOT_SECONDS
        while True:
            try:
                return check_broker(self.url)
            except NotReachableError as error:
                if time.monotonic() > end:
                    raise BrokerError(f"The RabbitMQ container did not become ready: {error}") from error
                time.sleep(_POLL_SECONDS)


def _docker(*arguments: str) -> str:
    done = subprocess.run([_DOCKER, *arguments], capture_output=True, text=True, timeout=_PULL_SECONDS, check=False)
    if done.returncode:
        raise BrokerError(f"docker {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
