"""The API as a process, without a stock service: what the tests of its edges and of its log need."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import requests

from scripts import services
from scripts.ports import free_ports
from tests.seeded_database import copy_seeded_database

SECONDS = 9.0
"""The client's budget of 8 s and one to spare."""


class ApiProcess:
    """gunicorn with one worker, on a database of its own with the two seeded users."""

    def __init__(self, directory: Path, **settings: str) -> None:
        (self.port,) = free_ports(1)
        self.environment = {
            "APP_ENV": "production",
            "SECRET_KEY": "0123456789abcdef" * 4,
            "DATABASE_URI": f"sqlite:///{directory / 'api.sqlite3'}",
            "STOCK_TRANSPORT": "http",
            "STOCK_SERVICE_URL": "http://127.0.0.1:1",
            "PORT": str(self.port),
            **settings,
        }
        copy_seeded_database(directory / "api.sqlite3")
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, log: int | IO[Any]) -> Iterator[None]:
        """Start it, with `log` as its standard error, and wait until it answers."""
        process = subprocess.Popen(
            services.API, cwd=services.ROOT, env=os.environ | self.environment, stderr=log, stdout=subprocess.DEVNULL
        )
        self.process = process
        try:
            self._wait()
            yield
        finally:
            process.terminate()
            try:
                process.wait(services.STOP_SECONDS)
            finally:
                process.kill()
                process.wait()

    def get(self, path: str, token: str | None = None, session: Any = requests) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer: requests.Response = session.get(self.url(path), headers=headers, timeout=SECONDS)
        return answer

    def log_in(self) -> requests.Response:
        body = {"username": "johndoe", "password": "john"}
        return requests.post(self.url("/api/v1/login"), json=body, timeout=SECONDS)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def worker(self) -> int:
        """The process id of the one worker."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        (worker,) = map(int, children.split())
        return worker

    def _wait(self) -> None:
        until = time.monotonic() + services.READY_SECONDS
        while True:
            try:
                if self.get("/healthz").ok:
                    return
            except requests.RequestException:
                assert time.monotonic() < until
                assert self.process
                assert self.process.poll() is None
                time.sleep(0.05)
