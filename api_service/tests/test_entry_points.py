"""The documented ways to start things, as real processes."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from api_service.tests.helpers import Action, ScriptedStockClient

PACKAGE = Path(__file__).parents[1]
ROOT = PACKAGE.parent


@pytest.fixture
def start(tmp_path: Path) -> Action:
    def start(*args: str, cwd: Path = PACKAGE, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        environ = {**clean, "DATABASE_URI": f"sqlite:///{tmp_path}/started.sqlite3", **environ}
        return subprocess.run(
            [sys.executable, "-W", "error", *args],
            cwd=cwd,
            env=environ,
            capture_output=True,
            text=True,
            timeout=25,
            check=False,
        )

    return start


def test_commands_run_as_a_script_and_as_a_module(start: Action) -> None:
    script = start("commands.py", "--help")
    assert script.returncode == 0, script.stderr
    assert "init" in script.stdout
    module = start("-m", "api_service.commands", "users", "--help", cwd=ROOT)
    assert module.returncode == 0, module.stderr
    assert "set-password" in module.stdout


@pytest.mark.parametrize(
    ("cwd", "options"), [(PACKAGE, []), (ROOT, ["--app", "api_service.wsgi"])], ids=["here", "root"]
)
def test_flask_migrates_from_this_folder_and_from_the_root(start: Action, cwd: Path, options: list[str]) -> None:
    done = start("-m", "flask", *options, "db", "upgrade", cwd=cwd, APP_ENV="development")
    assert done.returncode == 0, done.stderr
    done = start("commands.py", "init", APP_ENV="development")
    assert done.stdout == "Created user admin (ADMIN).\nCreated user johndoe (USER).\n", done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("-m", "flask", "run"),
        ("-m", "flask", "db", "upgrade"),
        ("commands.py", "init"),
        ("-m", "gunicorn", "-c", "gunicorn.conf.py"),
    ],
    ids=["flask run", "flask db upgrade", "commands.py", "gunicorn"],
)
def test_without_settings_a_newcomer_is_told_what_to_set(start: Action, args: tuple[str, ...]) -> None:
    ended = start(*args)
    assert ended.returncode == 2
    assert "set APP_ENV=development to try it out" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("cwd", [PACKAGE, ROOT], ids=["here", "root"])
def test_gunicorn_finds_the_application_and_takes_its_settings(start: Action, cwd: Path) -> None:
    config = str(PACKAGE / "gunicorn.conf.py")
    environ = {"APP_ENV": "development", "PORT": "5999", "WEB_THREADS": "7", "WEB_CONCURRENCY": "2"}
    checked = start("-m", "gunicorn", "-c", config, "--print-config", cwd=cwd, **environ)
    assert checked.returncode == 0, checked.stderr
    shown = dict(line.split("=", 1) for line in checked.stdout.splitlines() if "=" in line)
    shown = {name.strip(): value.strip() for name, value in shown.items()}
    expected = {
        "bind": "['127.0.0.1:5999']",
        "worker_class": "service_kit.http_worker.Worker",
        "forwarded_allow_ips": "[]",
        "workers": "2",
        "threads": "7",
        "graceful_timeout": "12",
        "control_socket_disable": "True",
        "limit_request_line": "2048",
        "limit_request_fields": "50",
        "wsgi_app": "api_service.wsgi:app",
    }
    assert {name: shown[name] for name in expected} == expected


def test_the_stock_client_is_closed_when_a_worker_exits(
    app: Flask, stock_client: ScriptedStockClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = runpy.run_path(str(PACKAGE / "gunicorn.conf.py"))
    config["worker_exit"](None, SimpleNamespace(wsgi=app))
    assert stock_client.closed == 1
    config["worker_exit"](None, SimpleNamespace(wsgi=None))  # a worker that could not load the application
    config["worker_exit"](None, SimpleNamespace())  # the master's own record of a worker
