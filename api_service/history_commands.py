"""The commands for histories: `python commands.py history ...`."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import click

from api_service import audit, clock, history_csv, user_list, users
from api_service.audit import AuditEvent
from api_service.command_line import with_database
from api_service.database import writing
from api_service.file_replacing import replacing
from api_service.history_pruning import prune as pruned
from api_service.history_reading import Filters
from api_service.progress import entries, progress
from api_service.resources.periods import A_DAY_OR_MOMENT, in_wrong_order, span
from stock_contract import is_valid_symbol

_STANDARD_OUTPUT: Final = Path("-")
_LINE_END: Final = "\r\n"


@click.group(name="history")
def history_group() -> None:
    """Write histories down, and delete what is old."""


@history_group.command()
@click.option("--user", "name", required=True, help="Whose history.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="-",
    help="The file, which is replaced when all is written; - (as without this option) is standard output.",
)
@click.option("--symbol", help="Only the entries of this stock, as aapl.us.")
@click.option("--from", "from_", help=f"Only those from then on: {A_DAY_OR_MOMENT} (UTC).")
@click.option("--to", help="Only those up to then: the same; a day is included, a moment is not.")
@with_database
def export(name: str, output: Path, symbol: str | None, from_: str | None, to: str | None) -> None:
    """Write a user's history as CSV.

    The latest entry first, the same lines as GET /api/v1/users/history.csv gives. A file is there as a whole or, when
    something goes wrong, as it was before.

    \b
    python commands.py history export --user ann --output ann.csv
    python commands.py history export --user ann --symbol aapl.us --from 2026-11-01 --to 2026-11-30 | head
    """  # noqa: D301  to click it is a backspace, and keeps the lines apart
    filters = _filters(symbol, from_, to)
    user_id = users.id_of(name)
    try:
        with _opened(output) as file:
            written = _write(history_csv.lines(user_id, filters), file, history_csv.size(user_id, filters), name)
    except BrokenPipeError:
        raise  # nobody reads on, and click ends without a word
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror or error}.") from error
    if output != _STANDARD_OUTPUT:
        click.echo(f"Wrote {entries(written)} of {name} to {output}.", err=True)


@history_group.command()
@click.option("--before", "text", required=True, help=f"Only what was asked before: {A_DAY_OR_MOMENT} (UTC).")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@with_database
def prune(text: str, *, yes: bool) -> None:
    """Delete old entries of all users, for good.

    The service may go on meanwhile. The statistics stay as they are; for ten minutes the API may tell the old number
    of a user's entries. Ctrl-C stops it; what was deleted by then is gone.

    \b
    python commands.py history prune --before 2025-01-01
    """  # noqa: D301  to click it is a backspace, and keeps the lines apart
    before, _ = _span(text, "--before")
    if before > clock.utc_now():
        raise click.BadParameter("It lies in the future.", param_hint="--before")
    if not yes:
        _confirm(f"Delete what all users asked before {before:%Y-%m-%dT%H:%M:%SZ}, for good?")
    with writing() as connection:
        audit.record(connection, AuditEvent.HISTORY_PRUNED, None, before=f"{before:%Y-%m-%dT%H:%M:%SZ}")
    deleted = 0
    try:
        for batch in chain.from_iterable(pruned(user.id, before) for user in user_list.list_users()):
            deleted += batch
            if sys.stderr.isatty():
                click.echo(f"\rDeleted so far: {deleted:,}", err=True, nl=False)
    finally:
        click.echo(f"Deleted {entries(deleted)}.")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here whether it is meant: give --yes.")
    click.confirm(question, abort=True)


def _filters(symbol: str | None, from_: str | None, to: str | None) -> Filters:
    if symbol is not None and not is_valid_symbol(symbol):
        raise click.BadParameter("It is no stock symbol, as aapl.us.", param_hint="--symbol")
    first = None if from_ is None else _span(from_, "--from")
    last = None if to is None else _span(to, "--to")
    if in_wrong_order(first, last):
        raise click.UsageError("--from is later than --to.")
    return Filters(symbol and symbol.upper(), first and first[0], last and last[1])


def _span(text: str, option: str) -> tuple[datetime, datetime]:
    try:
        return span(text)
    except ValueError:
        raise click.BadParameter(f"It is not {A_DAY_OR_MOMENT}.", param_hint=option) from None


def _opened(output: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdout.buffer) if output == _STANDARD_OUTPUT else replacing(output)


def _write(texts: Iterator[str], file: BinaryIO, expected: int, name: str) -> int:
    """How many entries were written."""
    written, header = 0, 1
    among_the_lines = file is sys.stdout.buffer and sys.stdout.isatty()
    with progress(expected, f"History of {name}", hidden=among_the_lines) as bar:
        for text in texts:
            file.write(text.encode())
            found = text.count(_LINE_END) - header
            written, header = written + found, 0
            bar.update(found)
    file.flush()
    return written
