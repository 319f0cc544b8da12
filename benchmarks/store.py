"""Where a full run leaves what it measured: JSON for each part, and its place in docs/performance.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.frame import Part, Round
from benchmarks.machine import machine
from benchmarks.markdown import replaced

_ROOT: Final = Path(__file__).resolve().parents[1]
_DIGITS: Final = 4


def write(part: Part, rounds: Sequence[Round], root: Path = _ROOT) -> None:
    """Keep the rounds of the latest run, and write its report.

    :raises ValueError: docs/performance.md has no place for it.
    """
    kept = {"machine": machine(), "rounds": [_shortened(each) for each in rounds]}
    _write(root / f"benchmarks/results/{part.name}.json", json.dumps(kept, indent=1) + "\n")
    page = part.page(rounds)
    document = root / "docs/performance.md"
    text = replaced(document.read_text(encoding="utf-8"), part.name, page.text)
    text = replaced(text, "machine", "\n".join(f"* {name}: {value}" for name, value in machine().items()))
    document.write_text(text, encoding="utf-8")
    for name, chart in page.charts.items():
        _write(root / "docs/performance" / name, chart)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _shortened(each: Round) -> Mapping[str, object]:
    """Digits that mean nothing would only make each run look different."""
    return {
        case: {
            scenario: {figure: float(f"{value:.{_DIGITS}g}") for figure, value in figures.items()}
            for scenario, figures in scenarios.items()
        }
        for case, scenarios in each.items()
    }
