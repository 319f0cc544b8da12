"""A history written from the command line: the lines of the API, and a whole file or none."""

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api_service import history, history_csv, history_pruning
from api_service.database import DatabaseUnavailableError
from api_service.history_reading import EVERYTHING
from api_service.tests.helpers import Action, Api
from stock_contract import Quote

FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def served(api: Api, apple: Quote) -> list[str]:
    """When jane (3) was served, the latest first: two stocks in turn, one on each day of November."""
    with api.app.app_context():
        for day in range(30):
            quote = replace(apple, symbol="^SPX") if day % 2 else apple
            history.save_quotes(3, f"r{day}", FIRST + timedelta(days=day), [quote])
        history.save_quotes(2, "other", FIRST, [apple])
    return [f"2026-11-{day:02}T12:00:00Z" for day in range(30, 0, -1)]


def dates(text: str) -> list[str]:
    return [row["date"] for row in csv.DictReader(text.splitlines())]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ((), slice(None)),
        (("--symbol", "aapl.us"), slice(1, None, 2)),
        (("--from", "2026-11-29"), slice(2)),
        (("--to", "2026-11-02"), slice(28, None)),
        (("--from", "2026-11-10T12:00:00Z", "--to", "2026-11-12T12:00:00Z"), slice(19, 21)),
        (("--from", "2027-01-01"), slice(0)),
    ],
)
def test_it_writes_what_the_options_leave(
    run: Action, served: list[str], options: tuple[str, ...], left: slice
) -> None:
    assert dates(run("history", "export", "--user", "jane", *options)) == served[left]


def test_a_file_has_the_lines_of_the_api_and_takes_the_place_of_another(
    run: Action, api: Api, served: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    target, link = folder / "jane.csv", folder / "link.csv"
    target.write_text("before")
    link.symlink_to(target)
    output = run("history", "export", "--user", "jane", "--output", str(link))
    assert output == f"Wrote 30 entries of jane to {link}.\n"
    assert target.read_bytes() == api.get("/api/v1/users/history.csv", by="jane").data
    assert target.stat().st_mode & 0o777 == 0o600
    request.getfixturevalue("terminal")
    assert "30/30" in run("history", "export", "--user", "jane", "--output", str(target))
    assert names_in(folder) == ["jane.csv", "link.csv"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (DatabaseUnavailableError(), "Error: The database cannot be reached or is busy.\n"),
        (OSError(28, "No space left on device"), "cannot be written: No space left on device.\n"),
        (KeyboardInterrupt(), "Aborted!\n"),
    ],
)
def test_when_something_goes_wrong_a_file_is_as_it_was(
    run: Action, served: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException, said: str
) -> None:
    lines = history_csv.lines

    def broken(*args: object) -> Iterator[str]:
        yield from lines(3, EVERYTHING)
        raise trouble

    monkeypatch.setattr(history_csv, "lines", broken)
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("new.csv", "old.csv"):
        (folder / "old.csv").write_text("before")
        output = run("history", "export", "--user", "jane", "--output", str(folder / name), exit_code=1)
        assert output.endswith(said)
        assert names_in(folder) == ["old.csv"]
        assert (folder / "old.csv").read_text() == "before"


def test_what_is_older_is_deleted_and_still_counted(run: Action, api: Api, served: list[str]) -> None:
    counted = api.get("/api/v1/stats", by="admin").json
    assert run("history", "prune", "--before", "2026-11-11T12:00:00Z", "--yes") == "Deleted 11 entries.\n"
    assert dates(run("history", "export", "--user", "jane")) == served[:20]
    assert run("history", "prune", "--before", "2026-11-11T12:00:00Z", "--yes") == "Deleted 0 entries.\n"
    assert api.get("/api/v1/stats", by="admin").json == counted
    recorded = api.get("/api/v1/audit?event=history_pruned", by="admin").json
    assert [entry["detail"] for entry in recorded] == [{"before": "2026-11-11T12:00:00Z", "by": "command-line"}] * 2


def test_what_was_deleted_before_something_went_wrong_is_said(
    run: Action, served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(user_id: int, before: datetime) -> Iterator[int]:
        yield from history_pruning.prune(user_id, before)
        if user_id == 3:
            raise DatabaseUnavailableError

    monkeypatch.setattr("api_service.history_commands.pruned", broken)
    output = run("history", "prune", "--before", "2026-11-11", "--yes", exit_code=1)
    assert output == "Deleted 10 entries.\nError: The database cannot be reached or is busy.\n"


def test_nothing_is_deleted_unless_it_is_meant(run: Action, served: list[str], request: pytest.FixtureRequest) -> None:
    assert "give --yes" in run("history", "prune", "--before", "2026-11-11", exit_code=2)
    request.getfixturevalue("terminal")
    assert "for good? [y/N]" in run("history", "prune", "--before", "2026-11-11", exit_code=1, stdin="n\n")
    for wrong, said in (("9999-01-01", "in the future"), ("soon", "It is not a day as 2026-11-29, or")):
        assert said in run("history", "prune", "--before", wrong, "--yes", exit_code=2)
    assert dates(run("history", "export", "--user", "jane")) == served


def test_what_cannot_be_done_is_said(run: Action, api: Api, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for exit_code, said, options in (
        (1, "There is no user nobody.", ("--user", "nobody")),
        (
            1,
            "cannot be written: No such file or directory.",
            ("--user", "jane", "--output", str(tmp_path / "no" / "a")),
        ),
        (1, "cannot be written: it is no ordinary file.", ("--user", "jane", "--output", str(pipe))),
        (1, "cannot be written: it is no ordinary file.", ("--user", "jane", "--output", str(tmp_path))),
        (2, "'--user'", ()),
        (2, "It is no stock symbol, as aapl.us.", ("--user", "jane", "--symbol", "a b")),
        (2, "It is not a day as 2026-11-29, or", ("--user", "jane", "--from", "20261129")),
        (2, "It is not a day as 2026-11-29, or", ("--user", "jane", "--to", "0001-01-01T00:00:00+23:59")),
        (2, "--from is later than --to.", ("--user", "jane", "--from", "2026-11-29", "--to", "2026-11-28")),
    ):
        assert said in run("history", "export", *options, exit_code=exit_code)
