"""Matrix row 52: nobody reads the log. Requests are answered, lines are dropped and counted, and nothing hangs."""

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scripts import services
from service_kit.log_queue import _CAPACITY, LogQueueHandler
from tests.integration.api_process import SECONDS, ApiProcess
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)

F_SETPIPE_SZ = 1031
FLUSH = 2.0


class Pipe:
    """A pipe of one page whose reader reads when the test says so."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        fcntl.fcntl(self.write, F_SETPIPE_SZ, 4096)
        self.lines: list[str] = []
        self._arrived = threading.Condition()

    def fill(self) -> None:
        """Leave no room for a single byte."""
        os.set_blocking(self.write, False)
        with suppress(BlockingIOError):
            while os.write(self.write, b"\n"):
                pass
        os.set_blocking(self.write, True)

    def read(self) -> None:
        """From now on read what comes."""
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._reader.start()

    def read_to_the_end(self) -> list[dict[str, Any]]:
        """All events, once every process that writes has ended."""
        os.close(self.write)
        self.write = -1
        self._reader.join(SECONDS)
        assert not self._reader.is_alive()
        return self.events()

    def wait_for(self, event: str) -> None:
        """Wait until there is an event of that name."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: any(f'"{event}"' in line for line in self.lines), SECONDS), event

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def close(self) -> None:
        if self.write >= 0:
            os.close(self.write)

    def _read_all(self) -> None:
        with open(self._read, encoding="utf-8") as lines:  # noqa: PTH123  a descriptor, no path
            for line in lines:
                with self._arrived:
                    self.lines.append(line.strip())
                    self._arrived.notify_all()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_requests_are_answered_and_what_was_dropped_is_counted(pipe: Pipe, tmp_path: Path) -> None:
    api = ApiProcess(tmp_path)
    with api.running(pipe.write):
        pipe.fill()
        sent = _CAPACITY + 500
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: api.get("/api/v1/users/history", "forged").status_code, range(sent)))
        assert set(answers) == {401}
        token = api.log_in().json()["token"]
        assert api.get("/api/v1/users/history", token).status_code == 200
        pipe.read()
        pipe.wait_for("logs.dropped")
        assert api.log_in().status_code == 200
    events = pipe.read_to_the_end()
    dropped = sum(event["count"] for event in events if event["event"] == "logs.dropped")
    rejected = [event["request_id"] for event in events if event["event"] == "auth.token_rejected"]
    assert dropped >= 400
    assert len(rejected) >= _CAPACITY - 10
    assert len(rejected) + dropped in {sent, sent + 1}  # the first log-in may be among the dropped
    assert len(set(rejected)) == len(rejected)
    assert events[-1]["event"].startswith("Shutting down")


def test_the_api_stops_although_nobody_reads(pipe: Pipe, tmp_path: Path) -> None:
    api = ApiProcess(tmp_path)
    with api.running(pipe.write):
        pipe.fill()
        assert api.get("/api/v1/users/history", "forged").status_code == 401
        started = time.monotonic()
        assert api.process
        api.process.terminate()
        assert api.process.wait(SECONDS) == 0
        assert time.monotonic() - started < 2 * FLUSH + 3  # the worker's wait for the reader, then the master's


def test_the_worker_stops_although_nobody_reads(pipe: Pipe) -> None:
    pipe.fill()
    environment = {"APP_ENV": "production", "RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/", "LOG_LEVEL": "DEBUG"}
    worker = subprocess.Popen(
        services.STOCK_WORKER, cwd=services.ROOT, env=os.environ | environment, stderr=pipe.write
    )
    try:
        _wait_until_it_waits_for_signals(worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()


def _wait_until_it_waits_for_signals(process: subprocess.Popen[bytes]) -> None:
    """The main thread has blocked SIGTERM before it starts others, which inherit that."""
    threads = Path(f"/proc/{process.pid}/task")
    eventually(lambda: any(map(_blocks_sigterm, threads.iterdir())), within=SECONDS)


def _blocks_sigterm(thread: Path) -> bool:
    lines = (thread / "status").read_text(encoding="ascii").splitlines()
    mask = next(line for line in lines if line.startswith("SigBlk")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


CRASH = """
import logging, sys, threading
from service_kit.logs import configure_logging
configure_logging("INFO", as_json=True)
for number in range(500):
    logging.getLogger("x").info("before.crash", extra={"number": number})
raise RuntimeError("crashed")
"""


def test_the_lines_before_a_crash_are_all_written() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH], cwd=services.ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    *lines, last = map(json.loads, done.stderr.splitlines())
    assert [line["number"] for line in lines] == list(range(500))
    assert last["event"] == "process.crashed"
    assert "RuntimeError: crashed" in last["exception"]


FORK = """
import logging, os
from service_kit.logs import configure_logging
configure_logging("INFO", as_json=True)
log = logging.getLogger("x")
log.info("parent.before")
child = os.fork()
log.info("child" if child == 0 else "parent.after")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_writes_its_own_lines_and_no_others() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], cwd=services.ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    events = sorted(json.loads(line)["event"] for line in done.stderr.splitlines())
    assert events == ["child", "parent.after", "parent.before"]


LINE = logging.makeLogRecord({"msg": "line"})


def _handler(pipe: Pipe, capacity: int) -> LogQueueHandler:
    handler = LogQueueHandler(capacity, pipe.write)
    handler.setFormatter(logging.Formatter('{"event": "%(message)s", "count": "%(count)s"}', defaults={"count": 0}))
    return handler


def _written_and_dropped(pipe: Pipe) -> tuple[int, list[int]]:
    """How many lines have come, and what each `logs.dropped` tells."""
    events = pipe.read_to_the_end()
    counts = [int(event["count"]) for event in events if event["event"] == "logs.dropped"]
    return sum(event["event"] == "line" for event in events), counts


def test_what_does_not_fit_is_counted_exactly(pipe: Pipe) -> None:
    pipe.fill()
    handler = _handler(pipe, capacity=10)
    for _ in range(100):
        handler.handle(LINE)
    pipe.read()
    handler.flush()
    handler.close()
    written, counts = _written_and_dropped(pipe)
    assert written in {10, 11}  # one may be with the writing thread already
    assert written + sum(counts) == 100
    assert len(counts) == 1


def test_the_end_of_the_process_writes_what_waits_also_after_a_drop(pipe: Pipe) -> None:
    pipe.fill()
    handler = _handler(pipe, capacity=1_000)
    for _ in range(3_000):
        handler.handle(LINE)
    pipe.read()
    started = time.monotonic()
    logging.shutdown([weakref.ref(handler)])
    assert time.monotonic() - started < FLUSH
    written, counts = _written_and_dropped(pipe)
    assert written in {1_000, 1_001}
    assert written + sum(counts) == 3_000


def test_a_thread_that_cannot_start_costs_one_line(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    handler = _handler(pipe, capacity=10)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        handler.handle(LINE)
    handler.handle(LINE)
    pipe.read()
    handler.flush()
    handler.close()
    assert _written_and_dropped(pipe) == (1, [1])
