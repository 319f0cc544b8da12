"""Where a broker comes from, for `make run` and for the tests.

Two different needs, so two questions:

* `reachable_url`: a broker that already runs. `RABBITMQ_URL` when set; else localhost:5672 when it lets guest in.
* `own_broker`: one that may be stopped, starved and killed. A `rabbitmq-server` program, run as a private node; else,
  as root on Debian or Ubuntu, installed from the distribution's packages (its service is not started) and run as a
  private node; else a Docker container; else `BrokerError`.

`make run` asks the first and then takes a private node if the program is there; it installs nothing outside `.venv`.
The tests that only talk use the reachable broker if there is one, under queue names of their own. The tests that need
levers always get their own: nobody's running broker is ever stopped by a test run.
"""

import os
from collections.abc import Callable
from pathlib import Path

from scripts.amqp_probe import NotReachableError, check_broker, shown
from scripts.container_broker import ContainerBroker, docker_answers
from scripts.debian_packages import InstallError, install_without_starting, may_install
from scripts.private_broker import BrokerError, PrivateBroker, find_program

DEFAULT_URL = "amqp://guest:guest@localhost:5672/%2F"

Say = Callable[[str], None]
Broker = PrivateBroker | ContainerBroker


def reachable_url(say: Say, configured: str | None = None, ca: str = "") -> str | None:
    """The URL of a running broker that lets us in; `configured`, or else `RABBITMQ_URL`, is asked first.

    `ca`: certificates in PEM to trust it by, if it is an `amqps://` one.

    A configured one that does not let us in is said, not passed over.
    """
    configured = configured or os.environ.get("RABBITMQ_URL")
    for url in filter(None, (configured, DEFAULT_URL)):
        try:
            check_broker(url, ca=ca)
        except NotReachableError as error:
            if url == configured:
                say(f"RABBITMQ_URL is set, but that broker does not answer ({error}); looking for another one")
        else:
            say(f"using the RabbitMQ at {shown(url)}")
            return url
    return None


def own_broker(directory: Path, say: Say) -> Broker:
    """A broker that is started and belongs to the caller.

    :raises BrokerError: there is no way to one on this machine; the text lists the ways.
    """
    broker = _choose(directory, say)
    broker.start()
    say(f"started a RabbitMQ of our own at {shown(broker.url)}")
    return broker


def _choose(directory: Path, say: Say) -> Broker:
    installing = _install_program(say) if find_program() is None else ""
    if find_program():
        return PrivateBroker(directory)
    if docker_answers():
        say("starting a RabbitMQ container (the first time Docker fetches the image)")
        return ContainerBroker()
    raise BrokerError(
        "These tests need a real RabbitMQ that they may stop and kill, and there is no way to one here. Any of these"
        f" will do: install rabbitmq-server; run as root on Debian or Ubuntu; start Docker.{installing}"
    )


def _install_program(say: Say) -> str:
    """Install it if we may; return what to add to the message when that failed."""
    if not may_install():
        return ""
    say("installing rabbitmq-server from the distribution's packages (its service is not started)")
    try:
        install_without_starting("rabbitmq-server")
    except InstallError as error:
        return f"\nInstalling it failed: {error}"
    return ""
