"""Child processes in groups of their own, which end with this process even when it is killed."""

import atexit
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_GRACE_AT_EXIT = 5.0


class Child:
    """A started program. Its output goes to a file; a terminal's Ctrl-C does not reach it.

    :param talks: what it prints can be read with `line`, and it can be told lines; only its errors go to the file.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        self.log = log
        with log.open("ab") as output, _no_signal_between():
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=cwd,
                env=environment,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                start_new_session=True,
                bufsize=0,  # what a buffer holds is not seen by `select`
            )
            self.pid = self._process.pid
            _guard.watch(self)

    @property
    def exit_code(self) -> int | None:
        """None while the program runs; negative: the signal that ended it."""
        return self._process.poll()

    def tell(self, line: str) -> None:
        """Write a line to a program that talks.

        :raises BrokenPipeError: it has ended.
        """
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())

    def line(self, timeout: float) -> str:
        """The next line of a program that talks; empty when it has ended.

        :raises TimeoutError: none came within `timeout` seconds.
        """
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            raise TimeoutError
        return self._process.stdout.readline().decode()

    def stop(self, grace: float) -> int:
        """Ask the program to end (SIGTERM), give it `grace` seconds, then end its whole group."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        return self.kill()

    def kill(self) -> int:
        """End the whole group at once (SIGKILL)."""
        kill_group(self.pid)
        code = self._process.wait()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            with suppress(BrokenPipeError):
                pipe.close()
        _guard.forget(self)
        return code

    def last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-count:]) or "    (it wrote nothing)"


def kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@contextmanager
def _no_signal_between() -> Iterator[None]:
    """Handlers of signals that raise do so after the block: a program that has just started must be known by then."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ours = {int(number): handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        ours = {}  # they run in the main thread
    came: list[int] = []
    for number in ours:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


class _Guard:
    """The link to `process_guard`, started with the first child."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: dict[int, Child] = {}

    def watch(self, child: Child) -> None:
        self._watched[child.pid] = child
        self._tell(f"+{child.pid}\n")

    def forget(self, child: Child) -> None:
        if self._watched.pop(child.pid, None):
            self._tell(f"-{child.pid}\n")

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", Path(__file__).with_name("process_guard.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            atexit.register(self._let_go)
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # somebody ended the guard: then there is only less protection
            stdin.write(line.encode())
            stdin.flush()

    def _let_go(self) -> None:
        """At the end of this process: stop what was left running, the latest first, and then the guard."""
        for child in reversed(self._watched.copy().values()):
            child.stop(_GRACE_AT_EXIT)
        assert self._process
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


_guard = _Guard()
