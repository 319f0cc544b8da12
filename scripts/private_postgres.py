"""A private PostgreSQL server for the tests: in a folder of its own, on a Unix socket and, if wanted, on a port."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.debian_packages import InstallError, install_without_starting, may_install

_PACKAGE: Final = "postgresql"
_READY_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


class PostgresError(RuntimeError):
    """There is no PostgreSQL here; the text says how to get one."""


def ensure_programs(say: Callable[[str], None]) -> None:
    """Have the server's programs on this machine; as root on Debian or Ubuntu they are installed when missing.

    :raises PostgresError: they are missing and may not, or could not, be installed.
    """
    if find_program("initdb"):
        return
    if not may_install():
        raise PostgresError(
            "These tests need a real PostgreSQL that they may run, and its server programs (initdb) are not here."
            " Either will do: install postgresql; run as root on Debian or Ubuntu."
        )
    say("installing postgresql from the distribution's packages (its service is not started)")
    try:
        install_without_starting(_PACKAGE)
    except InstallError as error:
        raise PostgresError(f"PostgreSQL's server programs are missing and installing them failed: {error}") from error


class PrivatePostgres:
    """A server whose data dies with `directory`; not `durable`, because nothing here outlives the test run.

    With a `port` it listens on 127.0.0.1 too. After `stop` it may be started again.

    :param durable: a commit is on the disk before it returns, as it must be where its time is measured.
    """

    def __init__(self, directory: Path, port: int | None = None, *, durable: bool = False) -> None:
        self._directory = directory
        self._port = port
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        """For libpq; databases are made by their users."""
        port = f" port={self._port}" if self._port else ""
        return f"host={self._directory} user=postgres{port}"

    @property
    def pid(self) -> int | None:
        """Of the server's first process, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """:raises PostgresError: it did not come up."""
        initdb = find_program("initdb")
        if initdb is None:
            raise PostgresError("PostgreSQL's server programs (initdb) are missing.")
        user = _unprivileged_user()
        if user:
            shutil.chown(self._directory, user)
        data = self._directory / "data"
        if not data.exists():
            make: list[str | Path] = [initdb, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"]
            subprocess.run(make, user=user, cwd=self._directory, check=True, capture_output=True)
        addresses = (
            ["-c", f"port={self._port}", "-c", "listen_addresses=127.0.0.1"]
            if self._port
            else ["-c", "listen_addresses="]
        )
        settings = [*addresses, "-c", f"fsync={'on' if self._durable else 'off'}"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [initdb.with_name("postgres"), "-D", data, "-k", self._directory, *settings],
                user=user,
                cwd=self._directory,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready(initdb.with_name("pg_isready"))

    def stop(self) -> None:
        """Its fast shutdown: open connections are ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def _wait_until_ready(self, pg_isready: Path) -> None:
        end = time.monotonic() + _READY_SECONDS
        port = ["-p", str(self._port)] if self._port else []
        while subprocess.run([pg_isready, "-q", "-h", self._directory, *port], check=False).returncode:
            if time.monotonic() > end:
                raise PostgresError(f"PostgreSQL did not start: {(self._directory / 'log').read_text()}")
            time.sleep(_POLL_SECONDS)


def find_program(program: str) -> Path | None:
    """One of PostgreSQL's programs on this machine."""
    on_path = shutil.which(program)
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))  # Debian keeps them off the PATH
    return Path(on_path).resolve() if on_path else installed[-1] if installed else None


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; its package makes a user for it."""
    if os.getuid() != 0:
        return None
    return next((entry.pw_name for entry in pwd.getpwall() if entry.pw_name == "postgres"), "nobody")
