"""The API and the stock service as processes, set up as in production, but without rate limits."""

import http.client
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from benchmarks.frame import NotMeasurableError
from scripts import services
from scripts.child_processes import Child
from scripts.ports import free_ports

_LIMITS: Final = ("RATE_LIMIT_QUOTES", "RATE_LIMIT_READS", "RATE_LIMIT_LOGIN", "RATE_LIMIT_ADDRESS")
_PASSWORDS: Final = {"admin": "admin", "johndoe": "john"}


@dataclass(frozen=True, slots=True)
class Started:
    """A process and its children, which are its group."""

    child: Child
    seconds: float
    """From its start until it served."""


class Services:
    """One database, one virtual host of a broker and one provider, and the processes that share them.

    :param settings: beside those that make them run; the services' own defaults hold for the others.
    """

    def __init__(
        self, directory: Path, *, database: str, broker: str, provider: str, settings: Mapping[str, str] | None = None
    ) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        (self.port,) = free_ports(1)
        self._environment = {
            "APP_ENV": "production",
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URI": database,
            "STOCK_TRANSPORT": "rpc",
            "RABBITMQ_URL": broker,
            "QUOTE_PROVIDERS": "stooq",
            "STOOQ_URL": provider,
            "PORT": str(self.port),
            **dict.fromkeys(_LIMITS, "off"),
            **(settings or {}),
        }

    def prepare(self) -> None:
        """Make the tables and the demo users, which there are in development only."""
        demo = self._environment | {"APP_ENV": "development"}
        services.run_once("migrate", services.MIGRATE, demo, self._directory)
        services.run_once("users", services.SEED_USERS, demo, self._directory)

    @contextmanager
    def api(self) -> Iterator[Started]:
        with self._started("api", services.API) as child:
            began = time.perf_counter()
            services.wait_for_http("api", child, self.port)
            yield Started(child, time.perf_counter() - began)

    @contextmanager
    def worker(self, name: str = "worker", **settings: str) -> Iterator[Started]:
        """A stock service with a cache of its own."""
        heartbeat = self._directory / f"{name}.heartbeat"
        heartbeat.unlink(missing_ok=True)
        with self._started(name, services.STOCK_WORKER, WORKER_HEARTBEAT_FILE=str(heartbeat), **settings) as child:
            began = time.perf_counter()
            services.wait_for_heartbeat(name, child, heartbeat)
            yield Started(child, time.perf_counter() - began)

    def token(self, username: str = "johndoe") -> str:
        """:raises NotMeasurableError: the log-in was refused."""
        body = json.dumps({"username": username, "password": _PASSWORDS[username]})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/api/v1/login", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise NotMeasurableError(f"the log-in was answered with {response.status}")
        return str(json.loads(answer)["token"])

    @contextmanager
    def talking(self, name: str, command: Sequence[str]) -> Iterator[Child]:
        """Another program in the API's environment, which is told lines and answers with lines."""
        log = self._directory / f"{name}.log"
        child = Child(command, log=log, cwd=services.ROOT, environment=os.environ | self._environment, talks=True)
        try:
            yield child
        finally:
            child.kill()

    @contextmanager
    def _started(self, name: str, command: tuple[str, ...], **settings: str) -> Iterator[Child]:
        child = services.start(name, command, self._environment | settings, self._directory)
        try:
            yield child
        finally:
            child.stop(services.STOP_SECONDS)
