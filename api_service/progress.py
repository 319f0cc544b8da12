"""A progress bar on standard error, where somebody looks at it."""

import sys
from contextlib import AbstractContextManager
from typing import Protocol

import click


class Bar(Protocol):
    def update(self, n_steps: int) -> None: ...


def progress(length: int, label: str, *, hidden: bool = False) -> AbstractContextManager[Bar]:
    """A bar that is full after `length` steps; nothing is shown unless standard error is a terminal."""
    hidden = hidden or not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True, hidden=hidden)


def entries(number: int) -> str:
    """So many, in words."""
    return "1 entry" if number == 1 else f"{number:,} entries"
