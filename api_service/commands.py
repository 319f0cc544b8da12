"""Administration from a terminal: `python commands.py --help` in this folder, or `python -m api_service.commands`."""

import sys
from pathlib import Path
from typing import Final

if not __package__:
    # Started as a script: Python put this folder on the path, where the package's own name cannot be found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import click
import flask_migrate  # type: ignore[import-untyped]
from flask import current_app

from api_service import users
from api_service.backup_commands import backup, restore
from api_service.command_line import in_application, with_database
from api_service.demo_commands import demo_data
from api_service.history_commands import history_group
from api_service.models import Role
from api_service.services import services
from api_service.user_commands import users_group

_NO_DEMO_USERS: Final = (
    "There are no demo users in production, everybody knows their passwords. Make a super user of your own instead:"
    " python api_service/commands.py users add NAME --admin"
)
_DEMO_USERS: Final = (("admin", "admin", Role.ADMIN), ("johndoe", "john", Role.USER))


@click.group(epilog="Each command tells more with --help.", context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Administer the API service, on the database and with the settings of the environment, as the service has them.

    \b
    python commands.py migrate
    python commands.py init
    python commands.py users add ann --admin --generate-password
    python commands.py users list
    python commands.py backup copy.sqlite3
    """  # noqa: D301  to click it is a backspace, and keeps the lines apart


@cli.command()
@in_application
def migrate() -> None:
    """Bring the tables up to date.

    And create the demo users, but in production. What a deployment runs before the servers of the new version start.
    Safe to repeat; of two at once one waits.
    """
    flask_migrate.upgrade()
    _init(unless_production=True)


@cli.command()
@click.option("--unless-production", is_flag=True, help="In production do nothing, and say what to do instead.")
@with_database
def init(*, unless_production: bool) -> None:
    """Create the demo users.

    They are admin/admin, a super user, and johndoe/john; in production there are none. Safe to repeat: users that
    exist are left as they are.
    """
    _init(unless_production=unless_production)


def _init(*, unless_production: bool) -> None:
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


cli.add_command(users_group)
cli.add_command(demo_data)
cli.add_command(history_group)
cli.add_command(backup)
cli.add_command(restore)

if __name__ == "__main__":
    cli()
