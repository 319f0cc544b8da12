"""How gunicorn's processes and threads share connections that stay open."""

import http.client
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from scripts import services
from tests.integration.api_process import SECONDS, ApiProcess

pytestmark = pytest.mark.timeout(60)

THREADS = 4


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    directory = tmp_path_factory.mktemp("api")
    api = ApiProcess(directory, RATE_LIMIT_ADDRESS="off", WEB_CONCURRENCY="2", WEB_THREADS=str(THREADS))
    with (directory / "api.log").open("wb") as log, api.running(log):
        eventually(lambda: len(workers(api)) == 2 and min(shares_of(api, 8)) > 0)  # both have loaded the application
        yield api


def workers(api: ApiProcess) -> list[int]:
    assert api.process
    children = Path(f"/proc/{api.process.pid}/task/{api.process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in children.split()]


def sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    targets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed at this moment
            targets.add(str(descriptor.readlink()))
    return {target.removeprefix("socket:[").removesuffix("]") for target in targets if target.startswith("socket:[")}


def inodes_at(api: ApiProcess, client_ports: set[int]) -> set[str]:
    """Those of the server's ends of connections from these ports (https://man7.org/linux/man-pages/man5/proc_net.5.html)."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, *others = line.split()
        if int(local.split(":")[1], 16) == api.port and int(remote.split(":")[1], 16) in client_ports:
            inodes.add(others[6])
    return inodes


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + services.READY_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def connection_to(api: ApiProcess) -> "closing[http.client.HTTPConnection]":
    return closing(http.client.HTTPConnection("127.0.0.1", api.port, timeout=SECONDS))


def ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"status":"ok"}\n')


def shares_of(api: ApiProcess, count: int) -> list[int]:
    """How many of so many connections that stay open each worker has."""
    with ExitStack() as stay:
        connections = [stay.enter_context(connection_to(api)) for _ in range(count)]
        for connection in connections:
            ask(connection)
        inodes = inodes_at(api, {connection.sock.getsockname()[1] for connection in connections})
        return [len(sockets_of(pid) & inodes) for pid in workers(api)]


def test_connections_that_stay_open_are_shared_evenly(api: ApiProcess) -> None:
    shares = shares_of(api, 24)
    assert min(shares) >= 11, shares


def test_more_connections_than_threads_are_served_although_each_asks_without_a_pause(api: ApiProcess) -> None:
    """A thread stays with a connection only while no other one waits for a thread."""
    with ExitStack() as stay:
        connections = [stay.enter_context(connection_to(api)) for _ in range(THREADS * 8)]
        started = time.monotonic()
        for _ in range(10):
            for connection in connections:
                connection.request("GET", "/healthz")
            for connection in connections:
                answer = connection.getresponse()
                assert answer.status == 200
                answer.read()
        assert time.monotonic() - started < SECONDS


def test_a_stopping_process_ends_a_busy_connection_with_an_answer(tmp_path: Path) -> None:
    """The client learns from `Connection: close` that it must make another one."""
    api = ApiProcess(tmp_path, RATE_LIMIT_ADDRESS="off")
    with (tmp_path / "api.log").open("wb") as log, api.running(log), connection_to(api) as connection:
        ask(connection)
        assert api.process
        api.process.send_signal(signal.SIGTERM)
        for _ in range(10_000):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
            if answer.getheader("Connection") == "close":
                break
        assert answer.getheader("Connection") == "close"
        assert api.process.wait(services.STOP_SECONDS) == 0
