"""`make test`: runs commands beside each other and prints each of their lines behind the name of its lane.

    python -m scripts.lanes one='make lint' two='make types'

Each command is one of the shell. All run to their end, also when another fails; then the last lines of those that
failed are printed once more, for thousands of others may stand between, and the exit code tells whether all went well.
Ctrl-C reaches all of them, because they stay in the terminal's process group.
"""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

SAID_AGAIN = 20
"""Lines of a lane that failed that are repeated at the end: pytest's summary and what make says of it."""


class Lane:
    """A command that runs, and a thread that prints what it says."""

    def __init__(self, name: str, command: str, width: int) -> None:
        self.name = name
        self.took = 0.0
        """Seconds, once it has ended."""
        self.last_lines: deque[str] = deque(maxlen=SAID_AGAIN)
        self._prefix = f"{name:{width}} | "
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._printer = threading.Thread(target=self._print, name=name)
        self._printer.start()

    def wait(self) -> int:
        """Wait until the command has ended and all it said is printed; its exit code."""
        self._printer.join()
        return self._process.wait()

    def _print(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                said = f"{self._prefix}{line.decode(errors='replace').rstrip()}\n"
                self.last_lines.append(said)
                sys.stdout.write(said)
                sys.stdout.flush()
        self._process.wait()
        self.took = time.monotonic() - self._started


def main(arguments: Sequence[str]) -> int:
    named = [(name, command) for name, found, command in (each.partition("=") for each in arguments) if found]
    if not named or len(named) < len(arguments):
        print("Say which lanes to run: one='make lint' two='make types'", file=sys.stderr)
        return 2
    width = max(len(name) for name, _ in named)
    lanes = [Lane(name, command, width) for name, command in named]
    with suppress(KeyboardInterrupt):  # they have heard it too, and end in their own way
        for lane in lanes:
            lane.wait()
    codes = {lane: lane.wait() for lane in lanes}
    for lane, code in codes.items():
        if code:
            sys.stdout.writelines(["\n", *lane.last_lines, "\n"])
    for lane, code in codes.items():
        print(f"{lane.name}: {'passed' if code == 0 else f'failed (exit code {code})'} after {lane.took:.0f} s")
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
