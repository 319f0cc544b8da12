"""What holds for the files of the repository as a whole."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Written in two pieces, so that this file does not break its own rule.
INDEX_HOSTS = ("pypi" + ".org", "python" + "hosted", "registry.npm" + "js", "--index" + "-url", "--find" + "-links")
NOT_PROJECT = {
    ".venv",
    ".venv-peers",
    ".run",
    "build",
    "__pycache__",
    ".hypothesis",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}
PIN = re.compile(r"^(?P<pin>[a-z0-9._-]+(?:\[[a-z0-9,_-]+\])?==\S+).*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:  # not a clone: an unpacked archive has nothing but the project's files at first
        return [path for path in ROOT.rglob("*") if path.is_file() and not NOT_PROJECT & set(path.parts)]
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_lanes_of_make_test_run_every_folder_of_tests() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (rest,) = re.findall(r"^REST := (.*)$", makefile, re.MULTILINE)
    (of_database,) = re.findall(r"^OF_DATABASE := (.*)$", makefile, re.MULTILINE)
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["testpaths"]
    assert sorted([*rest.split(), "api_service"]) == sorted(configured)
    ignored = re.findall(r"--ignore=([^\s\"]+)", makefile)
    assert set(ignored) == {"tests/integration", "tests/e2e", "tests/integration/faults", "$(OF_DATABASE)"}
    assert (ROOT / of_database).is_relative_to(ROOT / "tests/integration/faults")
    for folders in (
        "tests/integration --ignore=tests/integration/faults",
        "tests/integration/faults --ignore=$(OF_DATABASE)",
        "$(OF_DATABASE)",
        "tests/e2e",
    ):
        assert re.search(rf"pytest {re.escape(folders)}[\"\n]", makefile), folders


def test_no_file_names_a_package_index() -> None:
    """Everybody installs from the index that their own machine is set up for."""
    naming = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked_files()
        for host in INDEX_HOSTS
        if host in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert naming == []


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-otel.txt", "requirements-dev.txt", "benchmarks/requirements.txt"]
)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = {match["pin"]: match[0] for match in PIN.finditer(text)}
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(blocks) == len(requirements) > 10
    assert [pin for pin, block in blocks.items() if "--hash=sha256:" not in block] == []


def test_what_is_tested_is_what_is_shipped() -> None:
    runtime, traces, development = (
        {match["pin"] for match in PIN.finditer((ROOT / name).read_text(encoding="utf-8"))}
        for name in ("requirements.txt", "requirements-otel.txt", "requirements-dev.txt")
    )
    assert runtime | traces <= development


def test_the_bill_of_materials_lists_exactly_what_is_pinned(tmp_path: Path) -> None:
    """As `make sbom` writes it, with a hash for each file that pip would accept."""
    file = tmp_path / "sbom.cdx.json"
    subprocess.run(
        [Path(sys.executable).with_name("cyclonedx-py"), "requirements", "requirements.txt", "-o", file],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    components = json.loads(file.read_text(encoding="utf-8"))["components"]
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = {re.sub(r"\[.*\]", "", match["pin"]) for match in PIN.finditer(text)}
    assert {f"{each['name']}=={each['version']}" for each in components} == pinned
    assert all(reference["hashes"] for each in components for reference in each["externalReferences"])
