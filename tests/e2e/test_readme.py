"""The lines that the README and the page on the calls have a newcomer paste do what they say that they do."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from scripts.services import ROOT
from tests.e2e.make_run import NOT_OURS, Run

pytestmark = pytest.mark.timeout(60)

_PAGES: Final = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/api.md"))
"""The second goes on where the first ends."""
_RUNNABLE: Final = re.compile(r"<!-- runnable -->\n```bash\n(.*?)```", re.DOTALL)
"""Blocks to be pasted into a second terminal while `make run` runs in the first."""
_SAMPLE: Final = re.compile(r"^    (\{\"symbol\".*\})$", re.MULTILINE)


@pytest.mark.usefixtures("curl")
def test_the_runnable_blocks_run_as_they_are(start: Callable[..., Run], tmp_path: Path) -> None:
    run = start(STOCK_TRANSPORT="http")
    run.read_until("Ctrl-C stops everything.")
    lines = "".join(_RUNNABLE.findall(_PAGES)).replace("127.0.0.1:5000", f"127.0.0.1:{run.port}")
    (tmp_path / ".curlrc").write_text("fail-with-body\n", encoding="ascii")  # an error's status ends curl with 22
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", lines],
        cwd=tmp_path,
        env=NOT_OURS | {"CURL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    samples = _SAMPLE.findall(_PAGES)
    assert samples
    assert all(sample in done.stdout for sample in samples), done.stdout


def test_what_a_newcomer_pastes_is_marked() -> None:
    assert len(_RUNNABLE.findall(_PAGES)) == len(re.findall(r"```bash\n(?=[^`]*127\.0\.0\.1:5000)", _PAGES)) > 0
