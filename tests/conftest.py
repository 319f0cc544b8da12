"""The brokers and the database server of the test run; a missing one fails the run, it never skips a test.

Isolation: tests share the broker and each takes a queue name of its own (`queue_name`). A virtual host for each would
cost a second or more every time and cannot be made on a broker that is merely reachable. Whole services always use the
same queue name, so they get a virtual host for each test module (`module_amqp_url`).
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pika
import pika.exceptions
import pytest

from scripts.brokers import Broker, own_broker, reachable_url
from scripts.debian_packages import MissingProgramError, ensure_program
from scripts.private_broker import BrokerError
from scripts.private_postgres import PostgresError, ensure_programs
from tests.private_redis import PROGRAM as REDIS

_NEED_OWN = {"broker", "module_amqp_url"}
_NEED_ANY = {"amqp_url", "queue_name"}


@dataclass
class _Provided:
    """What the start of the session found."""

    any_url: str | None = None
    own: Broker | None = None


_PROVIDED = pytest.StashKey[_Provided]()
_DIRECTORY = pytest.StashKey[TemporaryDirectory[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get what the chosen tests need, before the time limit of any test runs: installing it may take a minute."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    problems = []
    if "postgres" in wanted:
        problems += _missing(lambda: ensure_programs(_say))
    if "redis" in wanted:
        problems += _missing(lambda: ensure_program(REDIS, REDIS, _say))
    if "prometheus" in wanted:
        problems += _missing(lambda: ensure_program("prometheus", "prometheus", _say))
    if "chromium" in wanted:
        problems += _missing(lambda: ensure_program("chromium", "chromium", _say))
    if "curl" in wanted:
        problems += _missing(lambda: ensure_program("curl", "curl", _say))
    if wanted & (_NEED_OWN | _NEED_ANY):
        problems += _missing(lambda: _provide_brokers(session.config, wanted))
    if problems:  # once and last, instead of in each of the tests that need it
        pytest.exit(
            "\n\n".join(["a part of the system is missing.", *problems]), returncode=pytest.ExitCode.TESTS_FAILED
        )


def _missing(provide: Callable[[], None]) -> list[str]:
    try:
        provide()
    except (BrokerError, PostgresError, MissingProgramError) as error:
        return [str(error)]
    return []


def _provide_brokers(config: pytest.Config, wanted: set[str]) -> None:
    provided = config.stash[_PROVIDED] = _Provided()
    provided.any_url = reachable_url(_say) if wanted & _NEED_ANY else None
    if wanted & _NEED_OWN or not provided.any_url:
        directory = config.stash[_DIRECTORY] = TemporaryDirectory(prefix="stock-quotes-broker-")
        provided.own = own_broker(Path(directory.name), _say)


def pytest_unconfigure(config: pytest.Config) -> None:
    provided, directory = config.stash.get(_PROVIDED, None), config.stash.get(_DIRECTORY, None)
    if provided and provided.own:
        provided.own.stop()
    if directory:
        directory.cleanup()


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Broker:
    """A broker of our own: `.url`, `.ctl(...)`, `.stop_app()`, `.start_app()`, `.kill()`, `.start()`.

    Who stops it starts it again: the next test finds it running.
    """
    provided = pytestconfig.stash[_PROVIDED]
    assert provided.own, "ask for the fixture by name in the test, so that it is seen at collection time"
    return provided.own


@pytest.fixture(scope="session")
def amqp_url(pytestconfig: pytest.Config) -> str:
    """A broker to talk to: the reachable one, else our own. Pair it with `queue_name`; its levers are not ours."""
    provided = pytestconfig.stash[_PROVIDED]
    if provided.any_url:
        return provided.any_url
    assert provided.own
    return provided.own.url


@pytest.fixture
def prometheus() -> None:
    """The programs prometheus and promtool; `pytest_collection_finish` has seen to them."""


@pytest.fixture
def queue_name(amqp_url: str) -> Iterator[str]:
    """A name that no other test uses; what the test made under it, queue and exchange, is deleted afterwards."""
    name = f"test.{secrets.token_hex(8)}"
    yield name
    with suppress(pika.exceptions.AMQPError, OSError):  # the test may have left its broker stopped
        connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
        channel = connection.channel()
        channel.queue_delete(name)
        channel.exchange_delete(name)
        connection.close()


@pytest.fixture(scope="module")
def module_amqp_url(broker: Broker) -> str:
    """A virtual host on our own broker for the tests of one module."""
    return broker.add_vhost(f"test-{secrets.token_hex(4)}")


def _say(text: str) -> None:
    os.write(2, f"test run: {text}\n".encode())  # past pytest's capturing: this step may take a minute
