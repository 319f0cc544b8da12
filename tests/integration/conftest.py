"""What only the integration tests need: a PostgreSQL server, and the API's fixtures on top of it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from api_service.tests import conftest as api_fixtures
from scripts.private_postgres import PrivatePostgres

golden = api_fixtures.golden
apple = api_fixtures.apple
stock_client = api_fixtures.stock_client
api = api_fixtures.api
expect_problem = api_fixtures.expect_problem
hand_set_clock = api_fixtures.hand_set_clock


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """What libpq needs to connect to a server of the test run's own; tests/conftest.py saw to its programs."""
    with TemporaryDirectory(prefix="stock-quotes-postgres-") as directory:
        server = PrivatePostgres(Path(directory))
        server.start()
        yield server.conninfo
        server.stop()
