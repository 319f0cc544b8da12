"""`make run` as a newcomer uses it: start, paste the printed lines, Ctrl-C; and what happens when something dies."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from scripts.quote_client import QuoteClient
from scripts.services import port_is_free
from tests.e2e.make_run import NOT_OURS, Run

pytestmark = pytest.mark.timeout(120)  # both services, in one test a private broker too, and their orderly end


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


def test_production_warns_of_the_demo_users_that_development_has_left(start: Callable[..., Run]) -> None:
    development = start(STOCK_TRANSPORT="http")
    development.read_until("Stock service: starting")
    assert development.end(signal.SIGINT) == 0
    printed = start(STOCK_TRANSPORT="http", APP_ENV="production").read_until("Stock service: starting")
    for name in ("admin", "johndoe"):
        assert f"WARNING: {name} can log in with the password that everybody knows" in printed
        way_out = re.search(rf": (cd .*) users set-password {name}, or users deactivate {name}\n", printed)
        assert way_out
        command = f"{way_out[1]} users set-password {name} --generate-password"
        subprocess.run(["sh", "-c", command], env=NOT_OURS, check=True, timeout=30)


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
