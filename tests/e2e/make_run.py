"""`make run` in a directory and at a port of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from scripts.services import ROOT

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
