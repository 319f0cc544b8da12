"""Secrets stay out of logs: whatever the tests and the processes that they start log is searched for them."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canaries import SearchedRecords, findings


@pytest.fixture(scope="session")
def _searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchedRecords]:
    searched = SearchedRecords()
    yield searched
    assert not searched.found, f"secrets in log records: {searched.found[:5]}"
    in_files = {log: found for log in tmp_path_factory.getbasetemp().rglob("*.log") if (found := _search(log))}
    assert not in_files, f"secrets in logs of started processes: {in_files}"


@pytest.fixture(autouse=True)
def _no_secret_is_logged(_searched: SearchedRecords) -> Iterator[None]:
    """For each test anew: setting logging up throws out the handlers that were there."""
    logging.getLogger().addHandler(_searched)
    yield
    logging.getLogger().removeHandler(_searched)


def _search(log: Path) -> list[str]:
    return findings(log.read_text(encoding="utf-8", errors="replace"))[:3]
