"""Whether the consumer that touches a file still does: `python -m service_kit.heartbeat FILE [--max-age SECONDS]`.

For health checks of containers and probes: it says why on one line, and ends with 0 while the file is young, else 1.
A consumer touches the file (WORKER_HEARTBEAT_FILE) every two seconds while it consumes, and removes it when it stops.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

MAX_AGE: Final = 15.0
"""Seconds; the consumer misses seven touches first."""


def verdict(file: Path, max_age: float) -> tuple[bool, str]:
    """Whether `file` was touched within `max_age` seconds, and how that is said.

    One from the future counts as young only as far ahead: a clock may have been set back a little.
    """
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return False, f"{file} is not there: the consumer has not begun, or has stopped"
    except OSError as error:
        return False, f"{file} cannot be looked at: {error.strerror}"
    if abs(age) > max_age:
        return False, f"{file} was touched {age:.0f} s ago; {max_age:g} s are allowed"
    return True, f"{file} was touched {age:.0f} s ago"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m service_kit.heartbeat", description="Is the consumer alive?")
    parser.add_argument("file", type=Path, help="what WORKER_HEARTBEAT_FILE names")
    parser.add_argument("--max-age", type=float, default=MAX_AGE, metavar="SECONDS", help="default: %(default)g")
    options = parser.parse_args(arguments)
    alive, reason = verdict(options.file, options.max_age)
    sys.stdout.write(f"{reason}\n")
    return 0 if alive else 1


if __name__ == "__main__":
    sys.exit(main())
