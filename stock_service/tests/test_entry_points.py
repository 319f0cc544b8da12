"""Each documented way to start finds its modules, whatever the current folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stock_service

ROOM = Path(stock_service.__file__).parent
ROOT = ROOM.parent
PYTHON = sys.executable


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "FLASK_APP"}}
    return subprocess.run(
        command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=25, check=False
    )


@pytest.mark.parametrize(
    ("command", "cwd"),
    [
        ((PYTHON, "rpc_server.py"), ROOM),
        ((PYTHON, "stock_service/rpc_server.py"), ROOT),
        ((PYTHON, "-m", "stock_service.rpc_server"), ROOT),
        ((PYTHON, "-m", "flask", "run", "--port", "0"), ROOM),
        ((PYTHON, "-m", "gunicorn"), ROOM),
        ((PYTHON, "-m", "gunicorn", "-c", "stock_service/gunicorn.conf.py"), ROOT),
    ],
)
def test_wrong_settings_end_a_start_with_one_message(command: tuple[str, ...], cwd: Path) -> None:
    ended = run(*command, cwd=cwd, QUOTE_PROVIDERS="nobody", WORKER_THREADS="0")

    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "Wrong settings:",
        (
            "  QUOTE_PROVIDERS must be a list, separated by commas and without repeats, of: "
            "stooq, yahoo, cboe, twelvedata, recorded"
        ),
        "  WORKER_THREADS must be from 1 to 256",
    ]


def test_flask_finds_the_application() -> None:
    routes = run(PYTHON, "-m", "flask", "routes", cwd=ROOM)

    assert routes.returncode == 0, routes.stderr
    assert "/api/v1/stock" in routes.stdout


@pytest.mark.parametrize(
    ("arguments", "cwd"), [((), ROOM), (("-c", "stock_service/gunicorn.conf.py"), ROOT)], ids=["room", "root"]
)
def test_gunicorn_has_its_configuration(arguments: tuple[str, ...], cwd: Path) -> None:
    shown = run(PYTHON, "-m", "gunicorn", *arguments, "--print-config", cwd=cwd, PORT="5099", WORKER_THREADS="3")

    assert shown.returncode == 0, shown.stderr
    settings = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    settings = {name.strip(): value.strip() for name, value in settings.items()}
    assert settings["bind"] == "['127.0.0.1:5099']"
    assert (settings["worker_class"], settings["workers"], settings["threads"]) == (
        "service_kit.http_worker.Worker",
        "1",
        "3",
    )
    assert settings["graceful_timeout"] == "12"
    assert settings["control_socket_disable"] == "True"
    assert (settings["limit_request_line"], settings["limit_request_fields"]) == ("4094", "50")
