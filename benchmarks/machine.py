"""On what it was measured: the part of the result without which no figure means anything."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Final

_LOCK: Final = Path(__file__).with_name("requirements.txt")
_NAMED: Final = ("nameko", "celery", "kombu", "amqp", "aio-pika", "faststream", "pika", "uvloop", "eventlet")


def machine() -> dict[str, str]:
    """Name and value of each."""
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "RabbitMQ": _package_version("rabbitmq-server"),
        "rabbitmq-c": _package_version("librabbitmq-dev"),
        "peers": ", ".join(f"{name} {version}" for name, version in peers().items()),
    }


def peers() -> dict[str, str]:
    """The versions that are pinned."""
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", _LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: pinned[name] for name in _NAMED}


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return names[0] if names else platform.machine()


def _package_version(package: str) -> str:
    """As the distribution names it; the parts that differ by it are installed so."""
    try:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "unknown"
    return done.stdout or "none"
