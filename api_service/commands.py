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

from api_service import users
from api_service.app import create_app
from api_service.auth.password_rules import PasswordRefusedError, check_password, generate_password
from api_service.database import DatabaseUnavailableError, db
from api_service.models import Role
from api_service.schema import SchemaOutdatedError, check_migrated
from api_service.services import services
from api_service.settings import load_or_exit

P = ParamSpec("P")

_NO_DEMO_USERS: Final = (
    "There are no demo users in production, everybody knows their passwords. Make a super user of your own instead:"
    " python api_service/commands.py users add NAME --admin"
)
_DEMO_USERS: Final = (("admin", "admin", Role.ADMIN), ("johndoe", "john", Role.USER))


def with_database(command: Callable[P, None]) -> Callable[P, None]:
    """Run the command inside the application; whatever cannot be done ends in one line and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with create_app(load_or_exit()).app_context():
            try:
                check_migrated()
                command(*args, **kwargs)
            except (users.UserError, PasswordRefusedError, SchemaOutdatedError) as error:
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
@click.option("--unless-production", is_flag=True, help="In production do nothing, and say what to do instead.")
@with_database
def init(*, unless_production: bool) -> None:
    """Create the demo users admin/admin (super user) and johndoe/john; never in production.

    Safe to repeat: users that exist are left as they are.
    """
    if current_app.config["APP_ENV"] == "production":
        _warn_of_known_passwords()
        if not unless_production:
            raise click.ClickException(_NO_DEMO_USERS)
        click.echo(_NO_DEMO_USERS)
        return
    for name, password, role in _DEMO_USERS:
        try:
            users.add_user(name, services().passwords.hash(password), role)
        except users.UserExistsError:
            click.echo(f"User {name} exists already; left as it is.")
        else:
            click.echo(f"Created user {name} ({role}).")


def _warn_of_known_passwords() -> None:
    """A database that was filled in development has demo users, and they can log in."""
    for name, password, _ in _DEMO_USERS:
        stored = users.find_credentials(name)
        if stored and stored.active and services().passwords.verify(stored.password_hash, password):
            click.echo(
                f"WARNING: {name} can log in with the password that everybody knows. Change it, or end the account:"
                f" python api_service/commands.py users set-password {name}, or users deactivate {name}",
                err=True,
            )


@cli.group(name="users")
def users_group() -> None:
    """Add, list and change accounts."""


def password_options(command: Callable[P, None]) -> Callable[P, None]:
    """Where the password comes from. Never from an argument: every list of processes would show it."""
    given = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    made = click.option(
        "--generate-password", "generate", is_flag=True, help="Make a random password, and show it once."
    )
    return given(made(command))


@users_group.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Make a super user, who may see the statistics.")
@password_options
@with_database
def add(name: str, *, admin: bool, password_stdin: bool, generate: bool) -> None:
    """Add the user NAME; asks for the password."""
    if not users.is_valid_username(name):
        raise click.ClickException("A name has 1 to 64 letters, digits and . _ @ + -")
    role = Role.ADMIN if admin else Role.USER
    password = _new_password(name, from_stdin=password_stdin, generate=generate)
    users.add_user(name, services().passwords.hash(password), role)
    click.echo(f"Created user {name} ({role}).")
    _show_once(password, shown=generate)


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
@with_database
def activate(name: str) -> None:
    """Let the user NAME, who was deactivated, log in again."""
    users.activate_user(name)
    click.echo(f"User {name} is active.")


@users_group.command()
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@with_database
def set_role(name: str, role: str) -> None:
    """Make the user NAME a super user (ADMIN) or an ordinary one (USER); they have to log in again."""
    users.set_role(name, Role(role))
    click.echo(f"User {name} has the role {role}.")


@users_group.command()
@click.argument("name")
@password_options
@with_database
def set_password(name: str, *, password_stdin: bool, generate: bool) -> None:
    """Give the user NAME a new password, which logs them out everywhere; asks for it."""
    password = _new_password(name, from_stdin=password_stdin, generate=generate)
    users.set_password_hash(name, services().passwords.hash(password))
    click.echo(f"Changed the password of {name}.")
    _show_once(password, shown=generate)


def _new_password(username: str, *, from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise click.UsageError("Give --password-stdin or --generate-password, not both.")
    if generate:
        return generate_password()
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    check_password(password, username)
    return password


def _show_once(password: str, *, shown: bool) -> None:
    if shown:
        click.echo(f"Password: {password}")


if __name__ == "__main__":
    cli()
