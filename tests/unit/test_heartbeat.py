"""The command that tells whether a consumer is alive by the age of its file."""

import os
import time
from pathlib import Path

import pytest

from service_kit.heartbeat import main


@pytest.mark.parametrize(
    ("age", "options", "code"),
    [
        (0, [], 0),
        (14, [], 0),
        (16, [], 1),
        (16, ["--max-age", "20"], 0),
        (3, ["--max-age", "2.5"], 1),
        (-5, [], 0),  # the clock was set back a little
        (-3600, [], 1),
    ],
)
def test_the_age_of_the_file_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], age: int, options: list[str], code: int
) -> None:
    file = tmp_path / "worker.heartbeat"
    file.touch()
    touched = time.time() - age
    os.utime(file, (touched, touched))
    assert main([str(file), *options]) == code
    assert f"{file} was touched" in capsys.readouterr().out


def test_without_the_file_it_is_not_alive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 1
    assert main([str(tmp_path)]) == 0  # whatever can be touched will do
    out = capsys.readouterr().out
    assert "is not there: the consumer has not begun, or has stopped" in out
    assert len(out.splitlines()) == 2
