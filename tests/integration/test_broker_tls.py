"""TLS to the broker: both services over a private certificate authority, and everything else refused."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme

from amqp_rpc import RpcClient, RpcServer, connect_client, connection_parameters
from amqp_rpc.amqp_server import AmqpServerTransport
from scripts.amqp_probe import NotReachableError, check_broker
from scripts.brokers import Broker
from scripts.private_broker import PrivateBroker
from tests.e2e.conftest import running_system
from tests.rpc_suite.parts import echo, served
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

NAME = "test.tls"
PASSWORD = "canary-of-this-test"


class TlsBroker:
    """A node with a TLS listener, and the authority that certifies it."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self._certificate = directory / "broker.pem"
        self.ca = self._authority.cert_pem.bytes().decode()
        self._issue("localhost")
        self.node = PrivateBroker(directory / "node", tls=self._certificate)

    def certify(self, name: str, valid_days: float = 1.0) -> None:
        """Have the broker show another certificate."""
        self._issue(name, valid_days)
        self.node.ctl("eval", "ssl:clear_pem_cache().")

    def _issue(self, name: str, valid_days: float = 1.0) -> None:
        until = datetime.now(UTC) + timedelta(days=valid_days)
        issued = self._authority.issue_cert(name, not_before=until - timedelta(days=30), not_after=until)
        issued.private_key_and_cert_chain_pem.write_to_path(self._certificate)


@pytest.fixture(scope="module")
def started(broker: Broker) -> Iterator[TlsBroker]:
    """That there is a `broker` means that its program is installed."""
    with TemporaryDirectory(prefix="stock-quotes-tls-") as directory:
        tls = TlsBroker(Path(directory))
        tls.node.start()
        yield tls
        tls.node.stop()


@pytest.fixture
def tls(started: TlsBroker) -> Iterator[TlsBroker]:
    yield started
    started.certify("localhost")


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """What a test has begun, to be ended after it."""
    with ExitStack() as stack:
        yield stack


def start_client(ends: ExitStack, url: str, ca: str) -> RpcClient:
    client = connect_client(url, NAME, exchange=NAME, grace=3.0, ca=ca)
    ends.callback(client.close)
    return client


def start_server(ends: ExitStack, url: str, ca: str) -> None:
    parameters = connection_parameters(url, name="test server", heartbeat=10, ca=ca)
    server = RpcServer(AmqpServerTransport(parameters, NAME, NAME, prefetch=1), echo, workers=1)
    server.start()
    ends.callback(server.drain, 1.0)


def test_client_and_server_speak_tls_with_the_right_authority(tls: TlsBroker, ends: ExitStack) -> None:
    start_server(ends, tls.node.tls_url(), tls.ca)
    client = start_client(ends, tls.node.tls_url(), tls.ca)
    eventually(lambda: served(client, seconds=2.0))
    listed = tls.node.ctl("list_connections", "ssl", "ssl_protocol")
    assert {tuple(line.split("\t")) for line in listed.splitlines()[1:]} == {("true", "tlsv1.2")}


def wrong_authority(tls: TlsBroker) -> tuple[str, str]:
    return tls.node.tls_url(password=PASSWORD), trustme.CA().cert_pem.bytes().decode()


def authorities_of_the_system(tls: TlsBroker) -> tuple[str, str]:
    return tls.node.tls_url(password=PASSWORD), ""


def expired(tls: TlsBroker) -> tuple[str, str]:
    tls.certify("localhost", valid_days=-1.0)
    return tls.node.tls_url(password=PASSWORD), tls.ca


def of_another_host(tls: TlsBroker) -> tuple[str, str]:
    tls.certify("elsewhere.example")
    return tls.node.tls_url(password=PASSWORD), tls.ca


def plain_port(tls: TlsBroker) -> tuple[str, str]:
    return tls.node.url.replace("amqp://guest:guest@", f"amqps://guest:{PASSWORD}@"), tls.ca


@pytest.mark.parametrize("start", [start_client, start_server])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (wrong_authority, "CERTIFICATE_VERIFY_FAILED"),
        (authorities_of_the_system, "CERTIFICATE_VERIFY_FAILED"),
        (expired, "certificate has expired"),
        (of_another_host, "Hostname mismatch"),
        (plain_port, "WRONG_VERSION_NUMBER|record layer failure"),
    ],
)
def test_anything_else_is_refused_and_nothing_goes_over_a_plain_connection(
    tls: TlsBroker,
    ends: ExitStack,
    caplog: pytest.LogCaptureFixture,
    start: Callable[[ExitStack, str, str], object],
    fault: Callable[[TlsBroker], tuple[str, str]],
    reason: str,
) -> None:
    start(ends, *fault(tls))
    eventually(partial(_failed_twice, caplog), within=15.0)
    ours = [record for record in caplog.records if record.name.startswith("amqp_rpc")]
    assert {record.message for record in ours} == {"rpc.connect_failed"}
    errors = [vars(record)["error"] for record in ours]
    assert [error for error in errors if not re.search(reason, error)] == []
    assert not [record for record in ours if PASSWORD in str(vars(record))]


def _failed_twice(caplog: pytest.LogCaptureFixture) -> bool:
    return caplog.messages.count("rpc.connect_failed") >= 2


def test_both_services_speak_tls(tls: TlsBroker, tmp_path: Path) -> None:
    stooq = StooqStandIn()
    ca = tmp_path / "ca.pem"
    ca.write_text(tls.ca, encoding="ascii")
    with running_system("rpc", tmp_path, stooq.url, tls.node.tls_url(), RABBITMQ_CA_FILE=str(ca)) as system:
        assert system.quote("aapl.us").status_code == 200
    stooq.close()


def test_the_probe_of_make_run_trusts_the_same_authority(tls: TlsBroker) -> None:
    check_broker(tls.node.tls_url(), ca=tls.ca)
    with pytest.raises(NotReachableError, match="CERTIFICATE_VERIFY_FAILED"):
        check_broker(tls.node.tls_url())
