"""Whether the database has the tables that this code works with: looked at before a server or a command starts."""

import functools
import logging
from typing import Final

from alembic.script import ScriptDirectory
from flask import Flask, current_app
from sqlalchemy import Connection, inspect, text

from api_service.database import DatabaseUnavailableError, db, reading

MIGRATION_LOCK_NUMBER: Final = 5_326_917
"""The advisory lock that a migration takes on PostgreSQL: any number that nobody else locks in this database."""

_log = logging.getLogger(__name__)


class SchemaOutdatedError(Exception):
    """The database lacks a migration that this code knows."""

    def __init__(self) -> None:
        super().__init__("The database lacks migrations: run `python api_service/commands.py migrate` first.")


def require_migrated(app: Flask) -> None:
    """End this process with a message and status 1 when the database lacks a migration that this code knows.

    A server whose database is away goes on: its calls are answered with 503 until it is back.
    """
    with app.app_context():
        try:
            check_migrated()
        except DatabaseUnavailableError:
            return
        except SchemaOutdatedError as error:
            raise SystemExit(str(error)) from error
        finally:
            db.engine.dispose()  # a server forks after this, and must not share connections with its children


def check_migrated() -> None:
    """Look whether the database has every migration that this code knows.

    One that is ahead of this code is in the middle of an upgrade, and the code before it goes on.

    :raises SchemaOutdatedError: it has not.
    :raises DatabaseUnavailableError: nobody can say.
    """
    present = _present_now()
    needed, known = _needed_and_known(current_app.extensions["migrate"].directory)
    fields = {"present": sorted(present), "needed": sorted(needed)}
    if present - known:
        _log.warning("db.schema_newer", extra=fields)
    elif present != needed:
        _log.critical("db.schema_mismatch", extra=fields)
        raise SchemaOutdatedError


def is_migrated() -> bool:
    """The same without a word in the log, for who asks every few seconds.

    :raises DatabaseUnavailableError: nobody can say.
    """
    present = _present_now()
    needed, known = _needed_and_known(current_app.extensions["migrate"].directory)
    return present == needed or bool(present - known)


@functools.cache
def _needed_and_known(directory: str) -> tuple[frozenset[str], frozenset[str]]:
    """The revisions that this code needs, and all that it has; read once, for a process's code stays as it is."""
    scripts = ScriptDirectory(directory)
    return frozenset(scripts.get_heads()), frozenset(script.revision for script in scripts.walk_revisions())


def _present_now() -> frozenset[str]:
    with reading() as connection:
        return frozenset(_present(connection))


def _present(connection: Connection) -> set[str]:
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
