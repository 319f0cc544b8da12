"""`make run`: the whole system on this machine, from one command, stopped by Ctrl-C.

What it keeps (database, secret key, the private broker's data, logs) lies in .run/, or in the directory given as its
argument. Settings come from the environment as everywhere; what is not set gets a value that works at once.
"""

import fcntl
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from scripts import services
from scripts.brokers import reachable_url
from scripts.child_processes import Child
from scripts.first_steps import how_to_administer, how_to_use
from scripts.private_broker import BrokerError, PrivateBroker, find_program
from scripts.services import ROOT, ServiceError
from service_kit.settings import EnvironmentReader, SettingsError

_WATCH_SECONDS = 0.5
_PORT_SECONDS = 3.0  # so long a run that was killed may still be ending
_HIGHEST_PORT = 65534  # one less than there are: the HTTP variant takes the port after it too


class _AskedToStopError(BaseException):
    """Ctrl-C or SIGTERM: leaves every wait at once, and the way out stops what was started."""


def main(home: Path) -> int:
    _on_signals(_ask_to_stop)
    try:
        with _only_one(home), ExitStack() as running:
            code = _run(_System(running, home))
    except (ServiceError, SettingsError) as error:
        _say(str(error))
        return 1
    _say("Everything is stopped.")
    return code


def _run(system: "_System") -> int:
    """Run until something ends it, and say what it was."""
    try:
        system.run()
    except ServiceError as error:
        _say(f"\n{error}\n")
        return 1
    except _AskedToStopError:
        _say("\nStopping: the API first, then what it needs ...")
        return 0
    finally:
        _on_signals(signal.SIG_DFL)  # a second Ctrl-C does not wait: it ends this process, and that ends the others


class _System:
    """The processes of one run; `running` stops them in the opposite order of their start."""

    def __init__(self, running: ExitStack, home: Path) -> None:
        self._running = running
        self._home = home
        self._logs = home / "logs"
        self._heartbeat = home / "worker.heartbeat"
        self._key_file = home / "secret_key"
        self._watched: dict[str, Child] = {}
        settings = EnvironmentReader(os.environ)
        self._port = settings.integer("PORT", 5000, low=1, high=_HIGHEST_PORT)
        self._metrics_port = settings.integer("METRICS_PORT", 0, low=0, high=_HIGHEST_PORT)
        self._in_production = settings.choice("APP_ENV", "development", ("development", "production")) == "production"
        transport = settings.choice("STOCK_TRANSPORT", "rpc", ("rpc", "http"))
        self._configured_broker = settings.text("RABBITMQ_URL", "")
        self._broker_ca = settings.certificates("RABBITMQ_CA")
        if self._configured_broker:
            settings.url("RABBITMQ_URL", "", ("amqps",) if self._broker_ca else ("amqp", "amqps"))
        settings.check()
        defaults = {
            "APP_ENV": "development",
            "SECRET_KEY": _secret_key(self._key_file),
            "DATABASE_URI": f"sqlite:///{home / 'api_service.sqlite3'}",
            "QUOTE_PROVIDERS": "stooq,yahoo,cboe,recorded",
        }
        self._environment = {name: value for name, value in defaults.items() if not _is_set(name)}
        self._environment |= {name: value for name, value in os.environ.items() if value}
        self._environment |= {"WORKER_HEARTBEAT_FILE": str(self._heartbeat), "PYTHONUNBUFFERED": "1"}
        self._environment["STOCK_TRANSPORT"] = transport

    def run(self) -> NoReturn:
        _require_free(self._port)
        self._find_broker()
        self._prepare_database()
        self._start_stock_service()
        self._start_api()
        self._show_how_to_use()
        self._watch()

    def _find_broker(self) -> None:
        if self._environment["STOCK_TRANSPORT"] == "http":
            return _say("Transport: HTTP, as STOCK_TRANSPORT says; no broker is needed.")
        url = reachable_url(lambda text: _say(f"Broker: {text}."), self._configured_broker, self._broker_ca)
        url = url or self._private_broker_url()
        if url:
            self._environment["RABBITMQ_URL"] = url
            return None
        self._environment["STOCK_TRANSPORT"] = "http"
        return _say(
            "Broker: there is none (RABBITMQ_URL, localhost:5672, a rabbitmq-server program), so the two services talk"
            " over HTTP instead."
        )

    def _private_broker_url(self) -> str | None:
        if find_program() is None:
            return None
        _say("Broker: starting a private RabbitMQ node ...")
        broker = PrivateBroker(self._home / "rabbitmq")
        self._running.callback(broker.stop)
        try:
            broker.start()
        except BrokerError as error:
            _say(str(error))
            return None
        assert broker.process is not None
        self._watched["The broker"] = broker.process
        return broker.url

    def _prepare_database(self) -> None:
        if self._in_production:
            _say("Database: migrating ...")
        else:
            _say("Database: migrating, and making the users admin and johndoe if they are missing ...")
        services.run_once("migrate", services.MIGRATE, self._environment, self._logs)
        seed = (*services.SEED_USERS, "--unless-production")
        printed = services.run_once("users", seed, self._environment, self._logs)
        for line in printed.splitlines():
            if line.startswith("WARNING"):  # in production, of demo users that are there from before
                _say(line.replace("python api_service/commands.py", how_to_administer(self._made_up())))

    def _start_stock_service(self) -> None:
        if self._environment["STOCK_TRANSPORT"] == "rpc":
            _say("Stock service: starting the consumer ...")
            self._heartbeat.unlink(missing_ok=True)
            worker = self._start("The stock service", "stock_service", services.STOCK_WORKER, self._metrics())
            return services.wait_for_heartbeat("The stock service", worker, self._heartbeat)
        _say("Stock service: starting over HTTP ...")
        port = self._port + 1
        _require_free(port)
        self._environment["STOCK_SERVICE_URL"] = f"http://127.0.0.1:{port}"
        child = self._start(
            "The stock service", "stock_service", services.STOCK_OVER_HTTP, {"PORT": str(port)} | self._metrics()
        )
        return services.wait_for_http("The stock service", child, port)

    def _metrics(self) -> dict[str, str]:
        """The stock service's port for Prometheus: the one after the API's, if that has one."""
        return {"METRICS_PORT": str(self._metrics_port + 1)} if self._metrics_port else {}

    def _start_api(self) -> None:
        _say("API: starting ...")
        api = self._start("The API", "api_service", services.API, {"PORT": str(self._port)})
        services.wait_for_http("The API", api, self._port)

    def _start(self, name: str, log: str, command: tuple[str, ...], extra: dict[str, str]) -> Child:
        child = services.start(log, command, self._environment | extra, self._logs)
        self._running.callback(child.stop, services.STOP_SECONDS)
        self._watched[name] = child
        return child

    def _show_how_to_use(self) -> None:
        address = f"http://127.0.0.1:{self._port}"
        transport = "RabbitMQ" if self._environment["STOCK_TRANSPORT"] == "rpc" else "HTTP"
        providers = self._environment["QUOTE_PROVIDERS"]
        _say(f"\nReady: {address} (transport: {transport}; quote providers, in order: {providers})")
        if self._in_production:
            command = how_to_administer(self._made_up(), "users", "add", "NAME", "--admin")
            first = f"No users are made in production. Add one in another terminal:\n\n{command}"
        else:
            first = f"Open {address}/ in a browser, or try it in another terminal:\n\n{how_to_use(address)}"
        _say(f"Logs:  {self._logs}\n\n{first}\n\nCtrl-C stops everything.")

    def _made_up(self) -> dict[str, str]:
        """The settings of this run that the environment does not have."""
        settings = {"SECRET_KEY_FILE": self._key_file, "DATABASE_URI": self._environment.get("DATABASE_URI")}
        return {name: str(value) for name, value in settings.items() if not _is_set(name.removesuffix("_FILE"))}

    def _watch(self) -> NoReturn:
        while True:
            time.sleep(_WATCH_SECONDS)
            if not (self._home / "lock").exists():
                raise ServiceError(f"{self._home} was removed, and with it the database: stopping.")
            for name, child in self._watched.items():
                if (code := child.exit_code) is not None:
                    raise services.gone(name, child, code)


def _on_signals(handler: Callable[[int, object], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _ask_to_stop(_number: int, _frame: object) -> None:
    raise _AskedToStopError


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two runs would fight over the files; the lock goes with the process, however it ends."""
    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("w")
    except OSError as error:
        raise ServiceError(f"Cannot write to {home}: {error.strerror}. Does it belong to another user?") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError("`make run` is already running in this folder.") from None
        yield


def _secret_key(file: Path) -> str:
    """The key that signs the tokens: random, made once, so that tokens outlive a restart."""
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(48), encoding="ascii")
        unfinished.replace(file)  # a run that is killed in between leaves no half a key
    return file.read_text(encoding="ascii")


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _require_free(port: int) -> None:
    end = time.monotonic() + _PORT_SECONDS
    while not services.port_is_free(port):
        if time.monotonic() > end:
            raise ServiceError(f"Port {port} is in use by another program. Choose another one: PORT=8000 make run")
        time.sleep(_WATCH_SECONDS)


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone; stopping goes on all the same
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / ".run"))
