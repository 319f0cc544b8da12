"""What a group of processes has used: CPU time and memory, as Linux counts them (proc(5))."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all processes of a group that are there."""

    cpu: float
    """Seconds, in the kernel and outside, in steps of 10 ms."""
    memory: int
    """Bytes that are resident; a page that n processes share counts as one n-th in each (PSS)."""


def usage_of_group(group: int) -> Usage:
    """:raises ProcessLookupError: nothing of the group is there."""
    cpu, memory, found = 0.0, 0, False
    for process in _processes_of(group):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ends at this moment
            cpu += _cpu_of(process)
            memory += _memory_of(process)
            found = True
    if not found:
        raise ProcessLookupError(f"there is no process of group {group}")
    return Usage(cpu, memory)


def forget_peak(group: int) -> None:
    """Let `peak_of_group` tell what the processes of the group need from now on (proc(5), `clear_refs`)."""
    for process in _processes_of(group):
        with suppress(FileNotFoundError, ProcessLookupError):
            (process / "clear_refs").write_text("5", encoding="ascii")


def peak_of_group(group: int) -> int:
    """Bytes that were resident at once in the largest process of the group.

    :raises ProcessLookupError: nothing of the group is there.
    """
    peaks = []
    for process in _processes_of(group):
        with suppress(FileNotFoundError, ProcessLookupError):
            peaks.append(_kib_of(process / "status", "VmHWM:") * _KIB)
    if not peaks:
        raise ProcessLookupError(f"there is no process of group {group}")
    return max(peaks)


def _processes_of(group: int) -> Iterator[Path]:
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):
                if int(_fields(process)[2]) == group:
                    yield process


def _fields(process: Path) -> list[str]:
    """Of `stat`, from the state on: the name before it may hold anything."""
    return (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _cpu_of(process: Path) -> float:
    user, system = map(int, _fields(process)[11:13])
    return (user + system) * _TICK


def _memory_of(process: Path) -> int:
    return _kib_of(process / "smaps_rollup", "Pss:") * _KIB


def _kib_of(file: Path, name: str) -> int:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
