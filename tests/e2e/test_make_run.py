"""`make run` as a newcomer uses it: start, paste the printed lines, Ctrl-C; and what happens when something dies."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from scripts.ports import free_ports
from scripts.quote_client import QuoteClient
from scripts.services import ROOT, port_is_free

pytestmark = pytest.mark.timeout(120)  # both services, in one test a private broker too, and their orderly end

NOT_OURS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
"""The environment without anybody's settings."""

NOBODY_THERE = dict.fromkeys(("STOOQ_URL", "YAHOO_URL", "CBOE_URL"), "http://127.0.0.1:9/")


class Run:
    """One run in a directory of its own; no provider but the bundled quotes is in its reach."""

    def __init__(self, directory: Path, port: int, **settings: str) -> None:
        self.port = port
        self.printed = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run", directory],
            cwd=ROOT,
            env=NOT_OURS | NOBODY_THERE | {"PORT": str(port)} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, text: str) -> str:
        assert self._process.stdout
        while text not in self.printed:
            line = self._process.stdout.readline()
            assert line, f"it ended; printed:\n{self.printed}"
            self.printed += line
        return self.printed

    def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self._process.send_signal(number)
        assert self._process.stdout
        if not self._process.stdout.closed:
            self.printed += self._process.communicate(timeout=60)[0]
        return self._process.wait(1)

    def child(self, program: str) -> int:
        """The process number of the child whose command line names `program`."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        return next(int(pid) for pid, parent, args in rows if int(parent) == self._process.pid and program in args)


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


@pytest.mark.parametrize("transport", ["rpc", "http"])
def test_start_use_stop(transport: str, module_amqp_url: str, start: Callable[..., Run], port: int) -> None:
    run = start(STOCK_TRANSPORT=transport, RABBITMQ_URL=module_amqp_url)
    run.read_until("Ctrl-C stops everything.")
    client = QuoteClient(port)
    assert client.login("johndoe", "john").status == 200
    answer = client.quote("aapl.us")
    assert (answer.status, answer.headers["Quote-Source"]) == (200, "recorded")
    assert run.end(signal.SIGINT) == 0
    assert "Everything is stopped." in run.printed
    assert port_is_free(port)


def test_nothing_of_a_killed_run_is_in_the_way_of_the_next(start: Callable[..., Run], port: int) -> None:
    """With its own broker where the program is installed: a node that was left behind is replaced."""
    killed = start()
    killed.read_until("Ctrl-C stops everything.")
    killed.end(signal.SIGKILL)
    run = start()
    run.read_until("Ctrl-C stops everything.")
    assert QuoteClient(port).login("admin", "admin").status == 200
    assert run.end(signal.SIGTERM) == 0


@pytest.fixture
def curl() -> None:
    """The program; tests/conftest.py has seen to it."""


@pytest.mark.usefixtures("curl")
def test_the_printed_lines_work_as_they_are(start: Callable[..., Run]) -> None:
    printed = start(STOCK_TRANSPORT="http").read_until("Ctrl-C stops everything.")
    lines = re.search(r"another terminal:\n(.*)\nCtrl-C", printed, re.DOTALL)
    assert lines
    done = subprocess.run(["sh", "-c", lines[1]], capture_output=True, text=True, timeout=30, check=False)
    assert '"symbol":"AAPL.US"' in done.stdout
    assert '"times_requested":1' in done.stdout


def test_in_production_nobody_is_seeded_and_the_printed_line_makes_a_user(
    start: Callable[..., Run], port: int
) -> None:
    printed = start(STOCK_TRANSPORT="http", APP_ENV="production").read_until("Ctrl-C stops everything.")
    client = QuoteClient(port)
    assert client.login("admin", "admin").status == 401
    line = re.search(r"in another terminal:\n\n(.*)\n", printed)
    assert line
    command = line[1].replace(" NAME ", " boss ") + " --generate-password"
    done = subprocess.run(["sh", "-c", command], env=NOT_OURS, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.startswith("Created user boss (ADMIN).\nPassword: "), done.stderr
    assert client.login("boss", done.stdout.split()[-1]).status == 200
    assert client.get("/api/v1/stats").status == 200


def test_a_second_run_in_the_same_place_is_refused(start: Callable[..., Run]) -> None:
    start(STOCK_TRANSPORT="http").read_until("Database:")
    second = start()
    assert second.end() == 1
    assert "already running" in second.printed


def test_when_a_service_dies_the_rest_is_stopped_and_the_reason_is_told(start: Callable[..., Run]) -> None:
    run = start(STOCK_TRANSPORT="http")
    run.read_until("Ctrl-C stops everything.")
    os.kill(run.child("stock_service.wsgi"), signal.SIGKILL)
    assert run.end() == 1
    assert "The stock service was ended by signal 9" in run.printed
    assert port_is_free(run.port)


def test_a_port_in_use_is_told_with_the_way_out(start: Callable[..., Run], port: int) -> None:
    with closing(socket.create_server(("127.0.0.1", port))):
        run = start()
        assert run.end() == 1
    assert f"Port {port} is in use" in run.printed
    assert "PORT=8000 make run" in run.printed


def test_wrong_settings_are_told_and_everything_ends(start: Callable[..., Run]) -> None:
    run = start(STOCK_TRANSPORT="http", QUOTE_PROVIDERS="nobody")
    assert run.end() == 1
    assert "QUOTE_PROVIDERS must be" in run.printed


def test_the_key_is_kept_and_is_nobody_elses_to_read(start: Callable[..., Run], tmp_path: Path) -> None:
    start(STOCK_TRANSPORT="http").read_until("Database:")
    key = tmp_path / "secret_key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text()) >= 32
