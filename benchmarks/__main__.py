"""`make bench` and `make bench-quick`: measure every part, or those that are named, and report.

A full run writes its results to benchmarks/results/ and its report into docs/performance.md; a quick one prints the
report, because one round tells too little to be kept.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import frame, store
from benchmarks.cost import part as cost
from benchmarks.end_to_end import part as end_to_end
from benchmarks.growth import part as growth
from benchmarks.rpc import part as rpc
from benchmarks.uncached import part as uncached
from benchmarks.writers import part as writers

PARTS: Final[tuple[frame.Part, ...]] = (rpc, end_to_end, uncached, growth, writers, cost)


def main() -> int:
    arguments = _arguments()
    for part in PARTS:
        if part.name in arguments.parts:
            try:
                rounds = _measured(part, quick=arguments.quick, say=_say)
            except frame.NotMeasurableError as error:
                _say(str(error))
                return 1
            print(part.page(rounds).text)
            if not arguments.quick:
                store.write(part, rounds)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", default=names, help=f"of {', '.join(names)}; all unless named")
    parser.add_argument("--quick", action="store_true", help="one short round, which is printed and not kept")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(names):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return arguments


def _measured(part: frame.Part, *, quick: bool, say: Callable[[str], None]) -> list[frame.Round]:
    effort = part.effort(quick=quick)
    with (
        tempfile.TemporaryDirectory(prefix="stock-quotes-bench-") as directory,
        part.cases(Path(directory), effort, say) as cases,
    ):
        return frame.measure(cases, effort.rounds, say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
