"""Started programs end with the process that started them, in good order or not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import child_processes
from scripts.child_processes import Child
from scripts.services import ROOT

SLEEP = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('started', flush=True); time.sleep(60)",
]
PARENT = """
import sys
from pathlib import Path
from typing import Any
from scripts import child_processes
from scripts.child_processes import Child
child = Child([sys.executable, "-c", "import time; time.sleep(60)"], log=Path(sys.argv[1]), cwd=Path("."))
print(child.pid, flush=True)
sys.stdin.readline()
"""


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def started(command: list[str], directory: Path) -> Child:
    child = Child(command, log=directory / "log", cwd=directory)
    assert until(lambda: "started" in child.last_lines())
    return child


def is_alive(pid: int) -> bool:
    """A zombie is dead: where nobody collects orphans, they stay in the table."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_stop_asks_first(tmp_path: Path) -> None:
    assert started(SLEEP, tmp_path).stop(grace=10) == -signal.SIGTERM


def test_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    assert started(STUBBORN, tmp_path).stop(grace=0.2) == -signal.SIGKILL


def test_stop_of_a_program_that_has_ended_gives_its_exit_code(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "raise SystemExit(3)"], log=tmp_path / "log", cwd=tmp_path)
    assert until(lambda: child.exit_code == 3)
    assert child.stop(grace=1) == 3


def test_the_last_lines_tell_why_a_program_ended(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "raise SystemExit('no such thing')"], log=tmp_path / "log", cwd=tmp_path)
    assert until(lambda: child.exit_code is not None)
    assert "no such thing" in child.last_lines(1)
    child.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None], ids=["killed", "terminated", "ended"])
def test_children_end_with_their_parent(how: signal.Signals | None, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert is_alive(child)
    if how:
        parent.send_signal(how)
    parent.communicate("\n", timeout=20)
    assert until(lambda: not is_alive(child))


def test_a_program_that_talks_is_told_lines_and_answers_them(tmp_path: Path) -> None:
    command = ["sh", "-c", "while read word; do printf 'a %s\\nb %s\\n' $word $word; done; echo noise >&2"]
    child = Child(command, log=tmp_path / "log", cwd=tmp_path, talks=True)
    for word in ("one", "two"):
        child.tell(word)
        assert [child.line(10), child.line(10)] == [f"a {word}\n", f"b {word}\n"]
    child.kill()


def test_a_program_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    child = Child(
        [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log", cwd=tmp_path, talks=True
    )
    with pytest.raises(TimeoutError):
        child.line(0.05)
    child.kill()


def test_a_program_that_has_ended_says_an_empty_line(tmp_path: Path) -> None:
    child = Child(
        [sys.executable, "-c", "raise SystemExit('no such thing')"], log=tmp_path / "log", cwd=tmp_path, talks=True
    )
    assert child.line(10) == ""
    assert "no such thing" in child.last_lines(1)
    child.kill()


class AskedToStopError(BaseException):
    pass


def test_a_signal_in_the_middle_of_a_start_leaves_no_program_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler raises, as that of `make run` does, before the caller has the child in hand."""
    start = subprocess.Popen

    def interrupted(*args: Any, **options: Any) -> Any:
        started = start(*args, **options)
        signal.raise_signal(signal.SIGTERM)
        return started

    def asked(number: int, frame: object) -> None:
        raise AskedToStopError

    known = set(child_processes._guard._watched)
    before = signal.signal(signal.SIGTERM, asked)
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(AskedToStopError):
            Child(SLEEP, log=tmp_path / "log", cwd=ROOT)
        assert signal.getsignal(signal.SIGTERM) is asked
    finally:
        signal.signal(signal.SIGTERM, before)
    (pid,) = set(child_processes._guard._watched) - known
    assert child_processes._guard._watched[pid].kill() == -signal.SIGKILL
