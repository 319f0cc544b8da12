"""Ends registered process groups when the process that registered them is gone, however that one ended.

Run as a program by `child_processes`; its standard input is a pipe from that process, so the end of the input means
that the other side has ended. Lines: `+123` watches the group of process 123, `-123` forgets it.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.1


def main() -> None:
    groups = _read_until_the_other_side_ends()
    for group in groups:
        _signal(group, signal.SIGTERM)
    end = time.monotonic() + _GRACE_SECONDS
    while any(map(_runs, groups)) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _read_until_the_other_side_ends() -> set[int]:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def _runs(group: int) -> bool:
    """Whether the group's first process still runs; one that has ended and is not collected yet does not."""
    with suppress(OSError, IndexError):  # OSError: not a Linux, or it has gone in this moment
        state = Path(f"/proc/{group}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
        return state not in "ZX"
    return _signal(group, 0)


def _signal(group: int, number: int) -> bool:
    """Send a signal (0: only ask) and say whether the group exists."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
