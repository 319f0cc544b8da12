import os
import signal
import subprocess
import sys

import pytest

from scripts.services import ROOT
from service_kit.connection_shares import ConnectionShares

# Later Pythons warn of forking beside threads; these children do nothing that a thread could have locked.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def child_of(shares: ConnectionShares, number: int, connections: int) -> int:
    """The id of a process that has joined, has so many connections, and waits to be killed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        shares.join(number)
        shares.publish(connections)
        os.write(write, b"x")
        signal.pause()
    assert os.read(read, 1) == b"x"
    os.close(read)
    os.close(write)
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_process_alone_is_nobodys_second() -> None:
    shares = ConnectionShares()
    assert not shares.somebody_has_fewer(5)
    shares.join(1)
    shares.publish(5)
    assert not shares.somebody_has_fewer(5)


def test_another_process_with_fewer_connections_is_seen() -> None:
    shares = ConnectionShares()
    shares.join(1)
    pid = child_of(shares, 2, 3)
    try:
        assert [shares.somebody_has_fewer(count) for count in (2, 3, 4)] == [False, False, True]
    finally:
        end(pid)


def test_a_process_that_has_ended_has_no_share() -> None:
    shares = ConnectionShares()
    shares.join(1)
    end(child_of(shares, 2, 3))
    assert not shares.somebody_has_fewer(4)


def test_places_are_used_again() -> None:
    shares = ConnectionShares(places=2)
    shares.join(1)
    end(child_of(shares, 2, 1))
    pid = child_of(shares, 4, 7)
    try:
        assert not shares.somebody_has_fewer(7)
        assert shares.somebody_has_fewer(8)
    finally:
        end(pid)


def test_the_memory_is_shared_by_what_gunicorn_forks() -> None:
    """The module is loaded in the master: gunicorn looks up the class of its workers there."""
    program = "from service_kit import http_worker as w; print(type(w._shares).__name__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ConnectionShares"
