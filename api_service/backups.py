"""Backup and restore of an SQLite database; PostgreSQL has programs of its own (docs/operations.md)."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import URL

_WITH_IT: Final = ("", "-wal", "-shm")
"""The files of one SQLite database, by what follows its name."""
_OWNER_ONLY: Final = 0o600


class BackupError(Exception):
    """It was not done, and nothing has changed; the text says why."""


def back_up(database: URL, file: Path) -> None:
    """Write all that is committed to `file`, while the service goes on.

    :raises BackupError: the database is no SQLite file that is there, or `file` is there already.
    """
    source = _path_of(database)
    if not source.is_file():
        raise BackupError(f"There is no database at {source}.")
    if file.exists():
        raise BackupError(f"{file} is there already.")
    _copy(source, file)


def restore(database: URL, file: Path) -> Path | None:
    """Put the backup `file` in the place of the database, whose servers must be stopped.

    :return: where the database that was there is now; None when there was none.
    :raises BackupError: the database is no SQLite file, or `file` is not a whole backup of one.
    """
    target = _path_of(database)
    _require_whole(file)
    ready = target.with_name(f"{target.name}.restored")
    _copy(file, ready)
    aside = target.with_name(f"{target.name}.before-restore")
    replaced = target.exists()
    for suffix in _WITH_IT:  # what is kept of a log belongs to its own file only
        part = Path(f"{target}{suffix}")
        if part.exists():
            part.replace(f"{aside}{suffix}")
    ready.replace(target)
    return aside if replaced else None


def _path_of(database: URL) -> Path:
    if database.get_backend_name() != "sqlite":
        raise BackupError(
            "This command is for SQLite; docs/operations.md has those for PostgreSQL: pg_dump, pg_restore."
        )
    return Path(str(database.database))


def _copy(source: Path, target: Path) -> None:
    """By SQLite's own means, which wait for writers and take over what lies in the log; whole or not at all."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_EXCL, _OWNER_ONLY))  # there are password hashes in it
    with closing(_reading(source)) as from_, closing(sqlite3.connect(unfinished)) as to:
        from_.backup(to)
    unfinished.replace(target)


def _require_whole(file: Path) -> None:
    if not file.is_file():
        raise BackupError(f"There is no {file}.")
    try:
        with closing(_reading(file)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{file} is not a whole SQLite database: {error}.") from error
    if verdict != "ok" or "alembic_version" not in tables:
        raise BackupError(f"{file} is not a whole backup of this service.")


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
