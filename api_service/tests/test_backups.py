"""Back up, damage, restore: the history is there again. And what `commands.py migrate` does."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from api_service.commands import cli
from api_service.tests.helpers import Action


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "api.sqlite3"


@pytest.fixture
def run(database: Path) -> Action:
    def run(*args: str, exit_code: int = 0) -> str:
        environment = {"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{database}"}
        result = CliRunner().invoke(cli, args, env=environment)
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def users_of(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("SELECT username FROM users ORDER BY id")]


def test_migrate_makes_the_tables_and_the_demo_users_and_can_be_repeated(run: Action, database: Path) -> None:
    assert "Created user admin" in run("migrate")
    assert "User admin exists already" in run("migrate")
    assert users_of(database) == ["admin", "johndoe"]


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100])
def test_what_was_backed_up_is_there_again_after_the_file_was_damaged(
    run: Action, database: Path, tmp_path: Path, damage: bytes
) -> None:
    copy = tmp_path / "copy.sqlite3"
    run("migrate")
    with closing(sqlite3.connect(database)) as somebody:  # what lies in the log only is backed up too
        somebody.execute("PRAGMA wal_autocheckpoint = 0")
        somebody.execute("UPDATE users SET username = 'ann' WHERE username = 'johndoe'")
        somebody.commit()
        run("backup", str(copy))
    assert copy.stat().st_mode & 0o777 == 0o600
    database.write_bytes(damage)
    assert "before-restore" in run("restore", str(copy))
    assert users_of(database) == ["admin", "ann"]
    assert (tmp_path / "api.sqlite3.before-restore").read_bytes() == damage
    run("init")  # the tables are those of this version


def test_what_is_no_whole_backup_replaces_nothing(run: Action, database: Path, tmp_path: Path) -> None:
    run("migrate")
    broken, empty, other = (tmp_path / name for name in ("broken", "empty", "other"))
    broken.write_bytes(database.read_bytes()[:5000])
    empty.touch()
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE something (id)")
    for file in (broken, empty, other, tmp_path / "missing"):
        assert run("restore", str(file), exit_code=1).startswith("Error: ")
    assert users_of(database) == ["admin", "johndoe"]


def test_a_file_that_is_there_is_not_written_over(run: Action, tmp_path: Path) -> None:
    run("migrate")
    copy = tmp_path / "copy.sqlite3"
    copy.write_text("precious")
    assert "is there already" in run("backup", str(copy), exit_code=1)
    assert copy.read_text() == "precious"
