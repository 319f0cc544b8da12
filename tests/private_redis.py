"""A Redis of the tests' own: on a free port, with nothing on disk. tests/conftest.py sees to its program."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

_START_SECONDS: Final = 10.0
PROGRAM: Final = "redis-server"


class PrivateRedis:
    """Started on first use of `start`; `kill` and `start` again keep the port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        log = (self._folder / "redis.log").open("ab")
        with log:
            self._process = subprocess.Popen([PROGRAM, *options, "--dir", str(self._folder)], stdout=log, stderr=log)
        self._wait_until_it_answers()
        return self

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > until or not self._process or self._process.poll() is not None:
                raise RuntimeError((self._folder / "redis.log").read_text(encoding="utf-8", errors="replace")[-1000:])
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False
