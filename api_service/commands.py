"""Administration from a terminal: `python commands.py --help` in this folder, or `python -m api_service.commands`."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec

if not __package__:
    # Started as a script: Python put this folder on the path, where the package's own name cannot be found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import click
from flask import current_app
from sqlalchemy import inspect

from api_service import users
from api_service.app import create_app
from api_service.auth.passwords import MAX_PASSWORD_LENGTH
from api_service.database import DatabaseUnavailableError, db, reading
from api_service.models import Role, User
from api_service.services import services
from api_service.settings import load_or_exit

P = ParamSpec("P")

_DEMO_USERS: Final = (("admin", "admin", Role.ADMIN), ("johndoe", "john", Role.USER))


def with_database(command: Callable[P, None]) -> Callable[P, None]:
    """Run the command inside the application; whatever cannot be done ends in one line and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with create_app(load_or_exit()).app_context():
            try:
                _require_tables()
                command(*args, **kwargs)
            except users.UserError as error:
                raise click.ClickException(str(error)) from error
            except DatabaseUnavailableError as error:
                raise click.ClickException("The database cannot be reached or is busy.") from error
            except UnicodeError as error:
                raise click.ClickException("Names and passwords must be text in UTF-8.") from error
            finally:
                db.engine.dispose()

    return run


@click.group()
def cli() -> None:
    """Administer the API service: its demo users and its accounts."""


@cli.command()
@with_database
def init() -> None:
    """Create the demo users admin/admin (super user) and johndoe/john.

    Safe to repeat: users that exist are left as they are.
    """
    if current_app.config["APP_ENV"] == "production":
        click.echo(
            "Warning: everybody knows the passwords of the demo users. Change them: users set-password", err=True
        )
    for name, password, role in _DEMO_USERS:
        try:
            users.add_user(name, services().passwords.hash(password), role)
        except users.UserExistsError:
            click.echo(f"User {name} exists already; left as it is.")
        else:
            click.echo(f"Created user {name} ({role}).")


@cli.group(name="users")
def users_group() -> None:
    """Add, list and change accounts."""


def password_option(command: Callable[P, None]) -> Callable[P, None]:
    """Where the password comes from. Never from an argument: every list of processes would show it."""
    option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    return option(command)


@users_group.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Make a super user, who may see the statistics.")
@password_option
@with_database
def add(name: str, *, admin: bool, password_stdin: bool) -> None:
    """Add the user NAME; asks for the password."""
    if not users.is_valid_username(name):
        raise click.ClickException("A name has 1 to 64 letters, digits and . _ @ + -")
    role = Role.ADMIN if admin else Role.USER
    users.add_user(name, _hash_of_new_password(from_stdin=password_stdin), role)
    click.echo(f"Created user {name} ({role}).")


@users_group.command(name="list")
@with_database
def list_all() -> None:
    """List all users."""
    rows = [("NAME", "ROLE", "STATE", "CREATED")]
    for user in users.list_users():
        state = "active" if user.active else "inactive"
        rows.append((user.username, user.role.value, state, f"{user.created_at:%Y-%m-%d %H:%M} UTC"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@users_group.command()
@click.argument("name")
@with_database
def deactivate(name: str) -> None:
    """End the access of the user NAME, from the next request on."""
    users.deactivate_user(name)
    click.echo(f"User {name} is inactive.")


@users_group.command()
@click.argument("name")
@password_option
@with_database
def set_password(name: str, *, password_stdin: bool) -> None:
    """Give the user NAME a new password; asks for it."""
    users.set_password_hash(name, _hash_of_new_password(from_stdin=password_stdin))
    click.echo(f"Changed the password of {name}.")


def _hash_of_new_password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not 1 <= len(password) <= MAX_PASSWORD_LENGTH:
        raise click.ClickException(f"A password has 1 to {MAX_PASSWORD_LENGTH} characters.")
    return services().passwords.hash(password)


def _require_tables() -> None:
    with reading() as connection:
        if not inspect(connection).has_table(User.__tablename__):
            raise click.ClickException("The database has no tables yet: run `flask db upgrade` first.")


if __name__ == "__main__":
    cli()
