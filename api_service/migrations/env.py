"""Runs the migrations on the application's own database, each run in one transaction; of two runs one waits."""  # noqa: INP001  alembic runs it as a file

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Engine

from api_service.database import will_write
from api_service.schema import MIGRATION_LOCK_NUMBER
from service_kit import time_budget
from service_kit.deadline import Deadline

_migrate = current_app.extensions["migrate"]


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=_migrate.db.metadata,
        transactional_ddl=True,  # also on SQLite, where api_service.database opens the transactions
        **_migrate.configure_args,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            _wait_for_other_runs(connection)
        context.run_migrations()


def _wait_for_other_runs(connection: Connection) -> None:
    """Before the present revision is read. The limits of a request are not for building an index on a large table."""
    patience = int(time_budget.MIGRATION_LOCK * 1000)
    for statement in (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        f"SET LOCAL lock_timeout = {patience}",
        f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK_NUMBER})",
        "SET LOCAL lock_timeout TO DEFAULT",  # a table that is in use must not keep requests waiting behind us
    ):
        connection.exec_driver_sql(statement)


def _migrate_online(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.detach()  # so that it cannot go back to the pool like this
        if connection.dialect.name == "sqlite":
            # Batch mode replaces tables, which foreign keys forbid.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF").close()
            will_write(connection, Deadline.after(time_budget.MIGRATION_LOCK))
        else:
            connection.connection.dbapi_connection.patience = None
        _run(connection)


if context.is_offline_mode():
    raise SystemExit("Migrations run on a database only: `flask db upgrade`, without --sql.")
_migrate_online(_migrate.db.engine)
