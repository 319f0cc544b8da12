"""The commands that back an SQLite database up and restore it."""

from pathlib import Path

import click

from api_service import backups
from api_service.command_line import in_application, with_database
from api_service.database import db


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_database
def backup(file: Path) -> None:
    """Copy the SQLite database to FILE.

    The service may go on meanwhile. Keep the copy where the database is kept: the hashes of the passwords are in it.
    """
    backups.back_up(db.engine.url, file)
    click.echo(f"Wrote {file}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@in_application
def restore(file: Path) -> None:
    """Restore the SQLite database from FILE.

    It must be one that `backup` has written. Stop the API before, and start it after.
    """
    aside = backups.restore(db.engine.url, file)
    click.echo(f"Restored {file}." + (f" What was there before is {aside}." if aside else ""))
    click.echo("If it is of an older version: python api_service/commands.py migrate")
