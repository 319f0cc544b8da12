"""Runs the migrations on the application's own database, each run in one transaction."""  # noqa: INP001  alembic runs it as a file

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Engine

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
            # The limits of a request are not for building an index on a large table.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        context.run_migrations()


def _migrate_online(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Batch mode replaces tables, which foreign keys forbid; detached, it cannot go back to the pool like that.
            connection.detach()
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF").close()
        _run(connection)


if context.is_offline_mode():
    raise SystemExit("Migrations run on a database only: `flask db upgrade`, without --sql.")
_migrate_online(_migrate.db.engine)
