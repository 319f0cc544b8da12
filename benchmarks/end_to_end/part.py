"""The cases of part `end_to_end`: each variant on SQLite and on PostgreSQL, all of them running all the time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, get_args

from benchmarks.end_to_end import variants
from benchmarks.end_to_end.measuring import Running, load_once, started
from benchmarks.end_to_end.page import page
from benchmarks.end_to_end.places import Kind, Places, places
from benchmarks.frame import Case, Effort, Figures, Measured

__all__ = ["cases", "effort", "name", "page"]

_VARIANTS: Final = (variants.ours, variants.ceiling, variants.bare, variants.original)

name = "end_to_end"


def effort(*, quick: bool) -> Effort:
    return Effort(rounds=1, seconds=2.0) if quick else Effort(rounds=5, seconds=4.0)


@contextmanager
def cases(directory: Path, effort: Effort, say: Callable[[str], None]) -> Iterator[list[Case]]:
    """A run takes four servers on each of two databases, and about 2 GB of memory."""
    directory.chmod(0o755)  # PostgreSQL's own user passes through
    with ExitStack() as ending:
        all_places = {kind: ending.enter_context(_places(directory / kind, kind)) for kind in get_args(Kind)}
        made = []
        for make in _VARIANTS:
            say(f"starting {make().name}")
            on = {kind: (ending.enter_context(started(make(), at)), at) for kind, at in all_places.items()}
            made.append(Case(make().name, partial(_measure, on, effort.seconds)))
        yield made


@contextmanager
def _places(directory: Path, kind: Kind) -> Iterator[Places]:
    directory.mkdir()
    with places(directory, kind) as shared:
        yield shared


def _measure(on: dict[Kind, tuple[Running, Places]], seconds: float) -> Measured:
    return {kind: _figures(running, at, seconds) for kind, (running, at) in on.items()}


def _figures(running: Running, at: Places, seconds: float) -> Figures:
    outcome = load_once(running, at, seconds, warm_up=1.0)
    parts: Sequence[str] = ("api", "worker", "broker", "database")
    return {
        "rate": outcome.load.per_second,
        "p50": outcome.load.p50_ms,
        "p99": outcome.load.p99_ms,
        "other answers": sum(count for status, count in outcome.load.statuses.items() if status != "200"),
        "lost": outcome.load.lost,
        **{f"cpu {part}": outcome.cpu_ms.get(part, 0.0) for part in parts},
    }
