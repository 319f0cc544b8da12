"""Compares the table of images in docs/operations.md with the images, and with containers of them that run."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.compose_checks import require
from scripts.compose_project import ComposeError

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
_ROW = re.compile(r"^\| `(stock-quotes-\w+)` \| (\d+) MB at most \| (\S+) \| none \| `/tmp`", re.MULTILINE)
_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Documented:
    megabytes: int
    """At most, on top of the base."""
    user: str


def documented_images() -> Mapping[str, Documented]:
    """The rows of the table, by image."""
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    return {name: Documented(int(megabytes), user) for name, megabytes, user in rows}


def check_image(container: str) -> None:
    """A running container, and the image it was made of, are what the page says.

    :raises CheckFailedError: they are not.
    """
    running = _inspect("container", container)
    name = running["Config"]["Image"].partition(":")[0]
    image, said = _inspect("image", running["Image"]), documented_images()[name]
    size = (image["Size"] - _inspect("image", _base())["Size"]) / _BYTES
    require(size <= said.megabytes, f"{name} adds {size:.0f} MB to its base, at most {said.megabytes}")
    require(image["Config"]["User"] == said.user, f"it runs as {said.user}", str(image["Config"]["User"]))
    status = docker("exec", container, "cat", "/proc/self/status")
    require(re.search(r"^CapEff:\s*0+$", status, re.MULTILINE) is not None, "it has no capability", status)
    require("NoNewPrivs:\t1" in status, "it can gain none")
    require(_writable(container) == ["/tmp"], "nothing can be written but /tmp", str(_writable(container)))  # noqa: S108  in a container
    limits = running["HostConfig"]
    require(bool(limits["Memory"] and limits["PidsLimit"]), "memory and processes are limited")


def docker(*arguments: str) -> str:
    """What a docker command printed.

    :raises ComposeError: it failed.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise ComposeError(f"docker {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def _writable(container: str) -> list[str]:
    """Which of the directories that a process could like to write to can be written."""
    probe = "import os; print([path for path in {!r} if os.path.isdir(path) and os.access(path, os.W_OK)])"
    asked = ["/", "/app", "/data", "/etc", "/home", "/root", "/tmp", "/usr", "/var/tmp", "/venv"]  # noqa: S108
    printed = docker("exec", container, "python", "-c", probe.format(asked))
    found: list[str] = json.loads(printed.replace("'", '"'))
    return found


def _base() -> str:
    dockerfile = (_PAGE.parents[1] / "api_service" / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"\$\{PYTHON_IMAGE:-([^}]+)\}", dockerfile)
    if found is None:
        raise ComposeError("api_service/Dockerfile names no base image.")
    return found[1]


def _inspect(kind: str, name: str) -> Any:
    return json.loads(docker(kind, "inspect", name))[0]
