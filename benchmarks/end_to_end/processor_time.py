"""Processor time of processes and all their descendants, from Linux's /proc."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def processor_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds that each process named in `pids` and its descendants have computed so far, user and system."""
    children: dict[int, list[int]] = defaultdict(list)
    spent: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _fields(folder)):
            pid = int(folder.name)
            children[int(fields[1])].append(pid)
            spent[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    return {name: _sum(pid, children, spent) for name, pid in pids.items()}


def _fields(folder: Path) -> list[str] | None:
    """Those of `stat` after the name (which may hold anything), so that the parent is number 1; None: it has ended.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    try:
        return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _sum(pid: int, children: Mapping[int, list[int]], spent: Mapping[int, float]) -> float:
    return spent.get(pid, 0.0) + sum(_sum(child, children, spent) for child in children.get(pid, ()))
