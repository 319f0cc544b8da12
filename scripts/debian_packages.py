"""Installs a Debian or Ubuntu package without letting it start its service."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")  # package scripts ask it whether they may start a service; 101 means no
_REFUSE = "#!/bin/sh\nexit 101\n"
_MINUTES = 10 * 60


class InstallError(RuntimeError):
    """The package cannot be installed here; the text says why."""


class MissingProgramError(RuntimeError):
    """A program is not here; the text says how to get it."""


def ensure_program(program: str, package: str, say: Callable[[str], None]) -> None:
    """Have `program` on the PATH; as root on Debian or Ubuntu `package` is installed when it is missing.

    :raises MissingProgramError: it is missing, and may not or could not be installed.
    """
    if shutil.which(program):
        return
    if not may_install():
        raise MissingProgramError(
            f"These tests need {program}. Either will do: install {package}; run as root on Debian or Ubuntu."
        )
    say(f"installing {package} from the distribution's packages (its service is not started)")
    try:
        install_without_starting(package)
    except InstallError as error:
        raise MissingProgramError(f"{program} is missing and installing {package} failed: {error}") from error


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_without_starting(package: str) -> None:
    """:raises InstallError: apt-get failed; the text ends with its last lines."""
    with _alone(), _no_service_starts():
        _apt_get("update", "-qq")
        _apt_get("install", "-y", "-qq", "--no-install-recommends", package)
    if shutil.which("systemctl"):  # nor at the next boot; fails harmlessly where systemd does not run
        subprocess.run(["systemctl", "disable", "--quiet", package], capture_output=True, check=False)


@contextmanager
def _alone() -> Iterator[None]:
    """The lanes of one test run may both need something; each would take the other's rule for the machine's own."""
    directory = os.open(_POLICY.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    kept = _POLICY.with_name("policy-rc.d.kept-by-stock-quotes")
    if _POLICY.exists():
        _POLICY.rename(kept)
    try:
        _POLICY.write_text(_REFUSE, encoding="ascii")
        _POLICY.chmod(0o755)
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
        if kept.exists():
            kept.rename(_POLICY)


def _apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_MINUTES,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"apt-get {' '.join(arguments)} took longer than {_MINUTES} s") from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-5:])
        raise InstallError(f"apt-get {' '.join(arguments)} failed:\n{tail}")
