"""Both services as real processes, as `make run` starts them, with a stand-in for stooq."""

import re
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts import services
from scripts.child_processes import Child
from scripts.ports import free_ports
from tests.e2e.make_run import Run
from tests.seeded_database import copy_seeded_database
from tests.stand_ins import StooqStandIn

ANSWER_SECONDS = 9.0
"""The client's budget of 8 s and one to spare."""

RATE_LIMITS = ("RATE_LIMIT_QUOTES", "RATE_LIMIT_READS", "RATE_LIMIT_LOGIN", "RATE_LIMIT_ADDRESS")


class System:
    """The pair over one transport; `settings` are added to those that make it run.

    The stock service logs in at the broker with `worker_amqp_url`, if there is one.
    """

    def __init__(
        self,
        transport: str,
        directory: Path,
        stooq_url: str,
        amqp_url: str | None,
        worker_amqp_url: str | None = None,
        **settings: str,
    ) -> None:
        self.directory = directory
        self.port, stock_port = free_ports(2)
        self.heartbeat = directory / "worker.heartbeat"
        self.transport = transport
        self.environment = {
            "APP_ENV": "production",
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URI": f"sqlite:///{directory / 'api.sqlite3'}",
            "STOCK_TRANSPORT": transport,
            "RABBITMQ_URL": amqp_url or "amqp://nobody:nowhere@127.0.0.1:1/",
            "STOCK_SERVICE_URL": f"http://127.0.0.1:{stock_port}",
            "QUOTE_PROVIDERS": "stooq",
            "STOOQ_URL": stooq_url,
            "WORKER_HEARTBEAT_FILE": str(self.heartbeat),
            "WORKER_THREADS": "16",
            "PORT": str(self.port),
            "LOG_LEVEL": "INFO",
            # One user at one address makes all the calls here, as fast as it can. Tests of the limits set their own.
            **dict.fromkeys(RATE_LIMITS, "off"),
            **settings,
        }
        self._stock_port = stock_port
        self._stock_environment = self.environment | ({"RABBITMQ_URL": worker_amqp_url} if worker_amqp_url else {})
        if port := settings.get("METRICS_PORT"):
            self._stock_environment["METRICS_PORT"] = str(int(port) + 1)
        self._stock: Child | None = None
        self.session = requests.Session()
        self.session.trust_env = False
        self._tokens: dict[str, str] = {}
        self._logging_in = threading.Lock()

    def prepare(self) -> None:
        copy_seeded_database(self.directory / "api.sqlite3")

    def start_stock(self) -> Child:
        """Start the stock service and wait until it serves; `stop_stock` ends the last one that was started."""
        if self.transport == "rpc":
            self.heartbeat.unlink(missing_ok=True)
            child = services.start("stock", services.STOCK_WORKER, self._stock_environment, self.directory)
            self._stock = child
            services.wait_for_heartbeat("stock", child, self.heartbeat)
            return child
        environment = self.environment | {"PORT": str(self._stock_port)}
        child = services.start("stock", services.STOCK_OVER_HTTP, environment, self.directory)
        self._stock = child
        services.wait_for_http("stock", child, self._stock_port)
        return child

    def stop_stock(self) -> None:
        if self._stock:
            self._stock.stop(services.STOP_SECONDS)

    def restart_stock(self) -> None:
        """A stock service without a memory. Killed, because connections that the API keeps alive hold a stop up."""
        if self._stock:
            self._stock.kill()
        self.start_stock()

    def start_api(self) -> Child:
        child = services.start("api", services.API, self.environment, self.directory)
        services.wait_for_http("api", child, self.port)
        return child

    def stop_api(self, api: Child) -> int:
        """Stop it in good order; connections that are kept alive would hold that up for seconds."""
        self.session.close()
        return api.stop(services.STOP_SECONDS)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def login(self, username: str, password: str) -> requests.Response:
        body = {"username": username, "password": password}
        return self.session.post(self.url("/api/v1/login"), json=body, timeout=ANSWER_SECONDS)

    def post(self, path: str, token: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.post(self.url(path), headers=headers, timeout=ANSWER_SECONDS, **options)

    def token(self, username: str) -> str:
        """A token of one of the two seeded users, asked for once however many threads want it."""
        with self._logging_in:
            if username not in self._tokens:
                password = {"admin": "admin", "johndoe": "john"}[username]
                self._tokens[username] = self.login(username, password).json()["token"]
            return self._tokens[username]

    def get(self, path: str, user: str | None = "johndoe", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return self.session.get(self.url(path), headers=headers, timeout=ANSWER_SECONDS, **options)

    def quote(
        self, code: str, user: str = "johndoe", key: str | None = None, patience: float = ANSWER_SECONDS
    ) -> requests.Response:
        """One quote on a connection of its own, so that many threads may ask; `key` is its Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} | ({"Idempotency-Key": key} if key else {})
        return requests.get(self.url("/api/v1/stock"), params={"q": code}, headers=headers, timeout=patience)


@pytest.fixture(scope="module")
def stooq() -> Iterator[StooqStandIn]:
    stand_in = StooqStandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture(autouse=True)
def _reset_stooq(stooq: StooqStandIn) -> Iterator[None]:
    yield
    stooq.reset()


@pytest.fixture(scope="module", params=["rpc", "http"])
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stooq: StooqStandIn, module_amqp_url: str
) -> Iterator[System]:
    """The running pair, over each of the two transports; with the `SETTINGS` of the test module, if it has some."""
    amqp_url = module_amqp_url if request.param == "rpc" else None
    settings = getattr(request.module, "SETTINGS", {})
    folder = tmp_path_factory.mktemp(request.param)
    with running_system(request.param, folder, stooq.url, amqp_url, **settings) as system:
        yield system


@pytest.fixture
def outage(system: System, stooq: StooqStandIn) -> Iterator[StooqStandIn]:
    """The stand-in, to be broken; afterwards the stock service starts anew, for it remembers an outage."""
    yield stooq
    stooq.reset()
    system.restart_stock()


@contextmanager
def running_system(
    transport: str,
    directory: Path,
    stooq_url: str,
    amqp_url: str | None,
    worker_amqp_url: str | None = None,
    **settings: str,
) -> Iterator[System]:
    """The pair, prepared and started; whatever of it still runs at the end is stopped."""
    system = System(transport, directory, stooq_url, amqp_url, worker_amqp_url, **settings)
    system.prepare()
    with ExitStack() as children:
        children.callback(system.stop_stock)
        system.start_stock()
        api = system.start_api()
        children.callback(system.stop_api, api)
        yield system


def assert_problem(answer: requests.Response, status: int, slug: str) -> None:
    """The answer is a problem document of our shape and shows nothing internal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "request_id"} <= body.keys()
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert not re.search(r"Traceback|Error\b|sqlite|amqp://|127\.0\.0\.1", answer.text)


@pytest.fixture
def port() -> int:
    """Free, and so is the one after it, which the HTTP variant takes."""
    return free_ports(2)[0]


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Callable[..., Run]]:
    """Starts a run, always in the same place; whatever a test leaves running is ended."""
    with ExitStack() as started:

        def start_one(**settings: str) -> Run:
            run = Run(tmp_path, port, **settings)
            started.callback(run.end, signal.SIGKILL)
            return run

        yield start_one


@pytest.fixture
def curl() -> None:
    """The program; tests/conftest.py has seen to it."""
