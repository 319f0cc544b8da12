"""A package is installed while its service may not start, and the machine's own rule for that comes back."""

import fcntl
import os
import stat
import subprocess
from pathlib import Path

import pytest

from scripts import debian_packages


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian_packages, "_POLICY", path)
    monkeypatch.setattr("shutil.which", lambda name: None)  # no systemctl
    return path


@pytest.fixture
def calls(policy: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str, bool]]:
    """Each call of apt-get, with the rule that stood at that moment."""
    made: list[tuple[list[str], str, bool]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        made.append((command, policy.read_text(), bool(policy.stat().st_mode & stat.S_IXUSR)))
        return subprocess.CompletedProcess(command, 1 if "broken" in command else 0, "line\nE: it is broken\n")

    monkeypatch.setattr(subprocess, "run", run)
    return made


def test_no_service_may_start_meanwhile(policy: Path, calls: list[tuple[list[str], str, bool]]) -> None:
    debian_packages.install_without_starting("some-server")
    assert [command[1] for command, _, _ in calls] == ["update", "install"]
    assert all("exit 101" in rule and executable for _, rule, executable in calls)
    assert not policy.exists()


@pytest.mark.parametrize("package", ["some-server", "broken"])
def test_the_machines_own_rule_comes_back(
    package: str, policy: Path, calls: list[tuple[list[str], str, bool]]
) -> None:
    policy.write_text("the machine's own\n")
    if package == "broken":
        with pytest.raises(debian_packages.InstallError, match="E: it is broken"):
            debian_packages.install_without_starting(package)
    else:
        debian_packages.install_without_starting(package)
    assert policy.read_text() == "the machine's own\n"
    assert [path.name for path in policy.parent.iterdir()] == ["policy-rc.d"]


def test_one_installs_at_a_time(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    another = os.open(policy.parent, os.O_RDONLY)

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        with pytest.raises(BlockingIOError):
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    debian_packages.install_without_starting("some-server")
    fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(another)
