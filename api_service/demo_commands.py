"""The command that fills a history to look at: `python commands.py demo-data`."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

import click
from flask import current_app

from api_service import clock, users
from api_service.bulk_entries import Entry, add_entries
from api_service.command_line import with_database
from api_service.database import writing
from api_service.demo_data import demo_entries
from api_service.progress import entries, progress

_BATCH: Final = 1000
"""Entries in one transaction: so few that it ends well within the time for saving, beside a service that is used."""
_MOST_ROWS: Final = 10_000_000
_INTERRUPTED: Final = 130
"""What a shell makes of a program that Ctrl-C has ended: 128 and the number of the signal."""


@click.command()
@click.option(
    "--rows",
    type=click.IntRange(1, _MOST_ROWS),
    required=True,
    help="How many entries; a million take about a minute.",
)
@click.option("--user", "name", default="johndoe", show_default=True, help="Whose history.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="Over how many days, up to now, they are spread.",
)
@with_database
def demo_data(rows: int, name: str, days: int) -> None:
    """Fill a history with made-up quotes.

    To see the service with data: real codes with prices that walk at random, marked by the source "demo", and
    counted in the statistics as real ones are. Refused in production. Ctrl-C stops it; what was added by then stays,
    and is counted.

    \b
    python commands.py demo-data --rows 1000000
    python commands.py demo-data --rows 5000 --user ann --days 30
    """  # noqa: D301  to click it is a backspace, and keeps the lines apart
    if current_app.config["APP_ENV"] == "production":
        raise click.ClickException("There is no demo data in production: its counts cannot be told from real ones.")
    user_id = users.id_of(name)
    end = clock.utc_now()
    begin = end - timedelta(days=days)
    _fill(demo_entries(user_id, rows, begin, end), rows, name)
    click.echo(f"Added {entries(rows)} to the history of {name}, from {begin:%Y-%m-%d} to {end:%Y-%m-%d}.")


def _fill(made_up: Iterator[Entry], rows: int, name: str) -> None:
    added = 0
    try:
        with progress(rows, f"History of {name}") as bar:
            while batch := list(islice(made_up, _BATCH)):
                with writing() as connection:
                    add_entries(connection, batch)
                added += len(batch)
                bar.update(len(batch))
    except KeyboardInterrupt:
        click.echo(_so_far("Interrupted", added, rows), err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except BaseException:
        click.echo(_so_far("Stopped", added, rows), err=True)
        raise


def _so_far(why: str, added: int, rows: int) -> str:
    return f"{why}: {added:,} of {entries(rows)} were added, and are counted."
