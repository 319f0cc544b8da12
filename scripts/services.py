"""The two services as local processes: their exact commands, and how to know that they are ready."""

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.child_processes import Child

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 30.0
STOP_SECONDS = 15.0  # more than service_kit.time_budget.GRACEFUL_STOP: asserted in tests/rules
_POLL_SECONDS = 0.1
_SETUP_SECONDS = 60.0

_PYTHON = sys.executable
_GUNICORN = (_PYTHON, "-m", "gunicorn", "-c")
API = (*_GUNICORN, "api_service/gunicorn.conf.py", "api_service.wsgi:app")
STOCK_OVER_HTTP = (*_GUNICORN, "stock_service/gunicorn.conf.py", "stock_service.wsgi:app")
STOCK_WORKER = (_PYTHON, "stock_service/rpc_server.py")
MIGRATE = (_PYTHON, "-m", "flask", "--app", "api_service.wsgi", "db", "upgrade")
COMMANDS = (_PYTHON, "api_service/commands.py")
SEED_USERS = (*COMMANDS, "init")


class ServiceError(RuntimeError):
    """A service did not start or did not stay; the text ends with its last lines."""


def start(name: str, command: tuple[str, ...], environment: Mapping[str, str], logs: Path) -> Child:
    """Start one service with a fresh log file `name`.log."""
    log = logs / f"{name}.log"
    log.unlink(missing_ok=True)
    return Child(command, log=log, cwd=ROOT, environment=os.environ | dict(environment))


def run_once(name: str, command: tuple[str, ...], environment: Mapping[str, str], logs: Path) -> str:
    """What a command that prepares something has printed, once it has ended.

    :raises ServiceError: it failed or took too long.
    """
    child = start(name, command, environment, logs)
    end = time.monotonic() + _SETUP_SECONDS
    while child.exit_code is None and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    ended, code = child.exit_code is not None, child.kill()
    if not ended or code:
        raise gone(name, child, code) if ended else _failure(name, child, "took too long")
    return child.log.read_text(encoding="utf-8", errors="replace")


def wait_for_http(name: str, child: Child, port: int) -> None:
    """Wait until GET /healthz answers 200."""
    _wait(name, child, lambda: _answers(port))


def wait_for_heartbeat(name: str, child: Child, file: Path) -> None:
    """Wait until the consumer touches its heartbeat file: it does so only while it consumes."""
    _wait(name, child, file.exists)


def gone(name: str, child: Child, code: int) -> ServiceError:
    return _failure(name, child, f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}")


def _failure(name: str, child: Child, what: str) -> ServiceError:
    return ServiceError(f"{name} {what}. Its last lines ({child.log}):\n{child.last_lines()}")


def port_is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except ConnectionRefusedError:  # bound above, and nobody else answers on a wider address
        return True
    except (OSError, OverflowError):
        return False
    return False


def _wait(name: str, child: Child, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not ready():
        if (code := child.exit_code) is not None:
            raise gone(name, child, code)
        if time.monotonic() > end:
            raise _failure(name, child, f"was not ready after {READY_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
