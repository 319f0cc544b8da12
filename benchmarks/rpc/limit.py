"""Builds the C program that shows the limit."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.debian_packages import InstallError, install_without_starting, may_install

_SOURCE: Final = Path(__file__).parent / "programs/limit.c"
_HEADER: Final = "#include <amqp_tcp_socket.h>\n"
_PACKAGE: Final = "librabbitmq-dev"


class NotBuiltError(RuntimeError):
    """There is no such program here; the text says why."""


def build_limit(directory: Path, say: Callable[[str], None]) -> Path:
    """The program, made in `directory`; as root on Debian or Ubuntu its library is installed when it is missing.

    :raises NotBuiltError: a compiler or the library is missing.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotBuiltError("there is no C compiler (Debian and Ubuntu: apt-get install gcc libc6-dev)")
    if not _has_library(compiler):
        _install(say)
    program = directory / "limit"
    done = subprocess.run(
        [compiler, "-O2", "-o", program, _SOURCE, "-lrabbitmq"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotBuiltError(f"cc failed:\n{done.stderr}")
    return program


def _has_library(compiler: str) -> bool:
    done = subprocess.run([compiler, "-E", "-x", "c", "-"], input=_HEADER, capture_output=True, text=True, check=False)
    return done.returncode == 0


def _install(say: Callable[[str], None]) -> None:
    if not may_install():
        raise NotBuiltError(f"the library rabbitmq-c is missing (Debian and Ubuntu: apt-get install {_PACKAGE})")
    say(f"installing {_PACKAGE} from the distribution's packages")
    try:
        install_without_starting(_PACKAGE)
    except InstallError as error:
        raise NotBuiltError(str(error)) from error
