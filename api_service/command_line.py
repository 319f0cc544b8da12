"""What the commands share: each runs inside the application, and ends in one line when something cannot be done."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click
from sqlalchemy.exc import OperationalError

from api_service import users
from api_service.app import create_app
from api_service.auth.password_rules import PasswordRefusedError
from api_service.backups import BackupError
from api_service.database import DatabaseUnavailableError, db
from api_service.schema import SchemaOutdatedError, check_migrated
from api_service.settings import load_or_exit

P = ParamSpec("P")


def with_database(command: Callable[P, None]) -> Callable[P, None]:
    """Run the command inside the application, on a database that has the tables of this version."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        check_migrated()
        command(*args, **kwargs)

    return in_application(run)


def in_application(command: Callable[P, None]) -> Callable[P, None]:
    """Run the command inside the application; whatever cannot be done ends in one line and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with create_app(load_or_exit()).app_context():
            try:
                command(*args, **kwargs)
            except (users.UserError, PasswordRefusedError, SchemaOutdatedError, BackupError) as error:
                raise click.ClickException(str(error)) from error
            except (DatabaseUnavailableError, OperationalError) as error:
                raise click.ClickException("The database cannot be reached or is busy.") from error
            except UnicodeError as error:
                raise click.ClickException("Names and passwords must be text in UTF-8.") from error
            finally:
                db.engine.dispose()

    return run
