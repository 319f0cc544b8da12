"""Results are kept as JSON, and the report goes to its place."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from benchmarks import store
from benchmarks.frame import Case, Effort, Page, Part, Round

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = "\n".join(f"<!-- measured: {name} -->\n<!-- end of {name} -->" for name in ("machine", "sample"))


class Sample:
    name = "sample"

    def effort(self, *, quick: bool) -> Effort:
        return Effort(1, 0.0)

    def cases(self, directory: Path, effort: Effort, say: object) -> nullcontext[Sequence[Case]]:
        return nullcontext([])

    def page(self, rounds: Sequence[Round]) -> Page:
        return Page(f"{len(rounds)} rounds", {"sample.svg": "<svg/>"})


def test_a_run_leaves_its_rounds_its_report_and_its_chart(tmp_path: Path) -> None:
    for folder in ("benchmarks", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docs/performance.md").write_text(DOCUMENT, encoding="utf-8")
    part: Part = Sample()
    store.write(part, [{"ours": {"busy": {"rate": 1234.5678}}}] * 2, root=tmp_path)
    kept = json.loads((tmp_path / "benchmarks/results/sample.json").read_text(encoding="utf-8"))
    assert kept["rounds"] == [{"ours": {"busy": {"rate": 1235.0}}}] * 2
    document = (tmp_path / "docs/performance.md").read_text(encoding="utf-8")
    assert "2 rounds" in document
    assert f"* Python: {kept['machine']['Python']}" in document
    assert (tmp_path / "docs/performance/sample.svg").read_text(encoding="utf-8") == "<svg/>"
