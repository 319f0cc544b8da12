"""A SQLite database with all tables and the two demo users, made once in a run and copied for each who wants one."""

import atexit
import functools
import secrets
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from scripts import services


def copy_seeded_database(target: Path) -> None:
    """Make `target` such a database: to make it by the commands takes two programs and seconds."""
    with closing(sqlite3.connect(_seeded_database())) as seeded, closing(sqlite3.connect(target)) as copy:
        seeded.backup(copy)


@functools.cache
def _seeded_database() -> Path:
    """Made by the two commands that every installation begins with."""
    directory = Path(tempfile.mkdtemp(prefix="stock-quotes-seeded-"))
    atexit.register(shutil.rmtree, directory)
    database = directory / "api.sqlite3"
    environment = {
        "APP_ENV": "development",  # in production there are no demo users
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URI": f"sqlite:///{database}",
    }
    services.run_once("migrate", services.MIGRATE, environment, directory)
    services.run_once("users", services.SEED_USERS, environment, directory)
    return database
