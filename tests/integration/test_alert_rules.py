"""The alert rules and the example configuration, in Prometheus' own checker."""

import subprocess

import pytest

from tests.monitoring import FOLDER


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")], ids=" ".join
)
def test_promtool_is_content(prometheus: None, arguments: tuple[str, ...]) -> None:
    checked = subprocess.run(("promtool", *arguments), cwd=FOLDER, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
