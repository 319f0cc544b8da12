"""The slow provider: all at once wait once, and each is counted."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.frame import NotMeasurableError
from benchmarks.services.provider import provider


def test_many_at_once_take_as_long_as_one_and_are_counted(tmp_path: Path) -> None:
    with provider(0.3, tmp_path) as upstream, ThreadPoolExecutor(64) as pool:
        began = time.monotonic()
        bodies = list(pool.map(lambda number: get(f"{upstream.url}?s=s{number % 32}.us&f=x"), range(64)))
        took = time.monotonic() - began
        assert upstream.asked() == {f"s{number}.us": 2 for number in range(32)}
        assert upstream.asked() == {}
    assert 0.3 <= took < 0.3 * 10
    assert all("149.99" in body for body in bodies)


def test_several_symbols_in_one_request_are_rows_of_one_table(tmp_path: Path) -> None:
    with provider(0, tmp_path) as upstream:
        lines = get(f"{upstream.url}?s=a.us+b.us&f=x").splitlines()
        assert [line.split(",")[0] for line in lines] == ["Symbol", "A.US", "B.US"]
        assert upstream.asked() == {"a.us": 1, "b.us": 1}


def test_one_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurableError, match="could not convert"), provider("soon", tmp_path):  # type: ignore[arg-type]
        pass


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own
        return str(answer.read().decode())
