"""What only the integration tests need: a PostgreSQL server, and the API's fixtures on top of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from api_service.tests import conftest as api_fixtures
from scripts.private_postgres import PostgresError, PrivatePostgres, ensure_programs

golden = api_fixtures.golden
apple = api_fixtures.apple
stock_client = api_fixtures.stock_client
api = api_fixtures.api
expect_problem = api_fixtures.expect_problem

_PROBLEM = pytest.StashKey[str]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the programs before the time limit of any test runs: installing them may take a minute."""
    wanted = any("postgres" in getattr(item, "fixturenames", ()) for item in session.items)
    if session.config.option.collectonly or not wanted:
        return
    try:
        ensure_programs(lambda text: os.write(2, f"postgres: {text}\n".encode()) and None)
    except PostgresError as error:
        session.config.stash[_PROBLEM] = str(error)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[str]:
    """What libpq needs to connect to a server of the test run's own; a missing one fails, it never skips."""
    if problem := pytestconfig.stash.get(_PROBLEM, None):
        pytest.fail(problem, pytrace=False)
    with TemporaryDirectory(prefix="stock-quotes-postgres-") as directory:
        server = PrivatePostgres(Path(directory))
        server.start()
        yield server.conninfo
        server.stop()
