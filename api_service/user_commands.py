"""The commands for accounts: `python commands.py users ...`."""

import sys
from collections.abc import Callable
from typing import ParamSpec

import click

from api_service import user_list, users
from api_service.auth.password_rules import check_password, generate_password
from api_service.command_line import with_database
from api_service.models import Role
from api_service.services import services

P = ParamSpec("P")


@click.group(name="users")
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
@click.option("--admin", is_flag=True, help="Make a super user, who may see and change what is everybody's.")
@password_options
@with_database
def add(name: str, *, admin: bool, password_stdin: bool, generate: bool) -> None:
    """Add the user NAME.

    Asks for the password, unless an option says where it comes from.
    """
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
    """List all users by name."""
    rows = [("ID", "NAME", "ROLE", "STATE", "CREATED")]
    for user in user_list.list_users():
        state = "active" if user.active else "inactive"
        rows.append((str(user.id), user.username, user.role.value, state, f"{user.created_at:%Y-%m-%d %H:%M} UTC"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, *others in rows:
        cells = [number.rjust(widths[0]), *map(str.ljust, others, widths[1:])]
        click.echo("  ".join(cells).rstrip())


@users_group.command()
@click.argument("name")
@with_database
def deactivate(name: str) -> None:
    """End the access of the user NAME.

    From the next request on; the account and its history stay, and `activate` lets the user in again.
    """
    users.deactivate_user(name)
    click.echo(f"User {name} is inactive.")


@users_group.command()
@click.argument("name")
@with_database
def activate(name: str) -> None:
    """Let the user NAME log in again."""
    users.activate_user(name)
    click.echo(f"User {name} is active.")


@users_group.command()
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@with_database
def set_role(name: str, role: str) -> None:
    """Say what the user NAME may do.

    ADMIN is a super user, USER an ordinary one. The user has to log in again.
    """
    users.set_role(name, Role(role))
    click.echo(f"User {name} has the role {role}.")


@users_group.command()
@click.argument("name")
@password_options
@with_database
def set_password(name: str, *, password_stdin: bool, generate: bool) -> None:
    """Give the user NAME a new password.

    It logs the user out everywhere. Asks for the password, unless an option says where it comes from.
    """
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
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise click.UsageError("Nobody can be asked here: give --password-stdin or --generate-password.")
    check_password(password, username)
    return password


def _show_once(password: str, *, shown: bool) -> None:
    if shown:
        click.echo(f"Password: {password}")
