"""Matrix row 53: the API runs out of file descriptors. It refuses without spinning, keeps its worker, and recovers."""

import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.integration.api_process import ApiProcess

pytestmark = pytest.mark.timeout(90)

SPARE = 4
"""Descriptors left to the worker."""
CALLERS = 30


def test_without_descriptors_it_refuses_quietly_and_recovers(tmp_path: Path) -> None:
    api = ApiProcess(tmp_path)
    log = tmp_path / "api.log"
    with log.open("wb") as file, api.running(file), ExitStack() as callers:
        token = api.log_in().json()["token"]
        worker = api.worker
        open_now = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_now + SPARE, hard))
        for _ in range(CALLERS):
            callers.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=5))
        wait_for_line(log, "http.out_of_descriptors")
        before = cpu_seconds(worker)
        time.sleep(2.0)  # what is looked at is that nothing happens
        assert cpu_seconds(worker) - before < 0.5
        assert log.read_text(encoding="utf-8").count("\n") < 3 * CALLERS
        assert api.worker == worker
        callers.close()
        assert answered_within(api, token, seconds=10.0)
        wait_for_line(log, "http.descriptors_back")
        assert api.worker == worker


def answered_within(api: ApiProcess, token: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if api.get("/api/v1/users/history", token).status_code == 200:
                return True
        except requests.RequestException:
            time.sleep(0.1)
    return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_line(log: Path, event: str) -> None:
    until = time.monotonic() + 15
    while f'"{event}"' not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < until, log.read_text(encoding="utf-8")[-3000:]
        time.sleep(0.05)
