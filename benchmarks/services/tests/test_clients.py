"""The clients against a server that does what it is told: whole answers, in pieces, none, and closed connections."""

import socket
import threading
from collections.abc import Iterator
from itertools import repeat

import pytest

from benchmarks.services.clients import Answer, Clients, all_ms, for_seconds, not_ok, rate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
LAST = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Answers each request by its path: `/ok`, `/pieces`, `/last` (and closes), `/gone` (closes without a word)."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """End the thread first: in `accept` it keeps a closed socket listening, under a number that others get."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline().decode():
                while lines.readline() != b"\r\n":
                    pass
                path = line.split()[1]
                self.requests.append(path)
                if path == "/gone":
                    return
                for piece in [LAST] if path == "/last" else [OK[:30], OK[30:]] if path == "/pieces" else [OK]:
                    connection.sendall(piece)
                if path == "/last":
                    return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_every_path_is_asked_for_once_and_each_connection_takes_the_next(server: Server) -> None:
    with Clients(server.port, "canary", connections=3) as clients:
        answers = clients.ask(f"/ok?{number}" for number in range(10))
    assert sorted(server.requests) == [f"/ok?{number}" for number in range(10)]
    assert server.connections == 3
    assert [answer.status for answer in answers] == [200] * 10
    assert all(answer.ms > 0 for answer in answers)


def test_a_connection_stays_from_one_round_to_the_next(server: Server) -> None:
    with Clients(server.port, "canary") as clients:
        clients.ask(["/ok"])
        clients.ask(["/pieces", "/pieces"])
    assert server.connections == 1
    assert server.requests == ["/ok", "/pieces", "/pieces"]


@pytest.mark.parametrize(("path", "status"), [("/last", 503), ("/gone", 0)])
def test_a_connection_that_is_closed_is_made_anew(server: Server, path: str, status: int) -> None:
    with Clients(server.port, "canary") as clients:
        answers = clients.ask([path, "/ok"])
    assert [answer.status for answer in answers] == [status, 200]
    assert not_ok(answers) == 1
    assert server.connections == 2


def test_asking_ends_when_the_time_is_over(server: Server) -> None:
    with Clients(server.port, "canary") as clients:
        answers = clients.ask(for_seconds(0.05, repeat("/ok")))
    assert answers
    assert all_ms(answers) < 5_000
    assert list(for_seconds(60, ["a", "b"])) == ["a", "b"]


def test_a_rate_counts_from_the_first_request_to_the_last_answer() -> None:
    answers = [Answer(200, 10.0, 10.5), Answer(200, 10.25, 12.0)]
    assert all_ms(answers) == 2000
    assert rate(answers) == 1
