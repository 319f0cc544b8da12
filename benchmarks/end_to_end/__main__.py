"""Runs this part by itself and prints a line for each round, then the medians and the ratios to the first variant."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.end_to_end import variants
from benchmarks.end_to_end.figures import Summary, summaries
from benchmarks.end_to_end.measuring import Outcome, measure
from benchmarks.end_to_end.places import places
from benchmarks.end_to_end.variants import Variant


def main() -> None:
    options = _options()
    chosen = [_variant(name) for name in options.variants]
    with TemporaryDirectory(prefix="stock-quotes-bench-") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL's own user passes through
        with places(Path(directory), options.database) as shared:
            outcomes = measure(chosen, shared, options.rounds, options.seconds, _tell)
            if options.logs:
                _copy_logs(Path(directory), options.logs)
    for summary in summaries(outcomes):
        print(_line(summary))
    if options.json:
        options.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each variant in each round")
    parser.add_argument(
        "--variants",
        nargs="+",
        default=["ours", "ceiling", "bare", "original"],
        help="ours=FOLDER is the version that lies in FOLDER, and so is ceiling=FOLDER",
    )
    parser.add_argument("--json", type=Path, help="where to write the outcomes")
    parser.add_argument("--logs", type=Path, help="a folder to copy the programs' logs to")
    return parser.parse_args()


def _variant(text: str) -> Variant:
    name, _, folder = text.partition("=")
    if folder:
        make = {"ours": variants.ours, "ceiling": variants.ceiling}[name]
        return make(f"{name}_in_{Path(folder).resolve().name}".replace("-", "_"), Path(folder).resolve())
    plain = {v().name: v for v in (variants.ours, variants.ceiling, variants.bare, variants.original)}
    return plain[name]()


def _tell(outcome: Outcome) -> None:
    load = outcome.load
    cpu = "  ".join(f"{part} {spent:.2f}" for part, spent in outcome.cpu_ms.items())
    print(
        f"  {outcome.variant:28} {load.per_second:7.0f}/s  p50 {load.p50_ms:6.1f}  p99 {load.p99_ms:6.1f} ms"
        f"  CPU ms: {cpu}  {_others(load.statuses, load.lost)}",
        flush=True,
    )


def _others(statuses: dict[str, int], lost: int) -> str:
    others = {status: count for status, count in statuses.items() if status != "200"} | (
        {"lost": lost} if lost else {}
    )
    return str(others) if others else ""


def _line(summary: Summary) -> str:
    return (
        f"{summary.variant:30} {summary.per_second:7.0f}/s  p50 {summary.p50_ms:6.1f}  p99 {summary.p99_ms:6.1f} ms"
        f"  p99/p50 {summary.p99_ms / max(summary.p50_ms, 0.001):4.1f}  first/this {summary.first_to_this:5.2f}"
    )


def _copy_logs(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for log in sorted(source.glob("*/*.log")):
        (target / f"{log.parent.name}-{log.name}").write_bytes(log.read_bytes())


if __name__ == "__main__":
    main()
