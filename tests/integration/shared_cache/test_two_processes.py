"""Two stock services that share a Redis: one fetch between them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.services import ROOT
from tests.private_redis import PrivateRedis
from tests.stand_ins import StooqStandIn, row
from tests.waiting import SOON

pytestmark = pytest.mark.timeout(60)

WORKER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from service_kit.deadline import Deadline
from stock_service.lookup import build_lookup
from stock_service.settings import load

lookup = build_lookup(load(json.loads(sys.argv[1])))
print("ready", flush=True)
for line in sys.stdin:
    with ThreadPoolExecutor(100) as pool:
        tasks = [pool.submit(lookup, ["aapl.us"], Deadline.after(6)) for _ in range(100)]
        results = [task.result()[0] for task in tasks]
    print(json.dumps([getattr(result, "source", str(result)) for result in results]), flush=True)
"""


@pytest.fixture
def workers(redis: PrivateRedis, stooq: StooqStandIn) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes, each with a lookup, that ask a hundred times for every line they get."""
    settings = json.dumps({"QUOTE_PROVIDERS": "stooq", "STOOQ_URL": stooq.url, "CACHE_URL": redis.url})
    with ExitStack() as stack:
        command = [sys.executable, "-c", WORKER, settings]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        started = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(2)]
        stack.callback(lambda: [worker.kill() for worker in started])
        for worker in started:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        yield started


def start(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin
    worker.stdin.write("go\n")
    worker.stdin.flush()


def answers_of(worker: subprocess.Popen[str]) -> list[str]:
    assert worker.stdout
    answers: list[str] = json.loads(worker.stdout.readline())
    return answers


def ask_both(workers: list[subprocess.Popen[str]]) -> list[str]:
    for worker in workers:
        start(worker)
    return [source for worker in workers for source in answers_of(worker)]


def test_two_processes_with_a_hundred_callers_each_cause_one_request(
    workers: list[subprocess.Popen[str]], stooq: StooqStandIn
) -> None:
    assert ask_both(workers) == ["stooq"] * 200
    assert len(stooq.queries) == 1

    assert ask_both(workers) == ["stooq"] * 200
    assert len(stooq.queries) == 1


def test_a_failure_is_shared_between_processes_too(workers: list[subprocess.Popen[str]], stooq: StooqStandIn) -> None:
    stooq.answer_for_all = (404, row("aapl.us")[1])

    assert all("upstream_error" in told for told in ask_both(workers))
    assert len(stooq.queries) == 1


def test_who_waits_for_a_process_that_dies_fetches_in_time(
    workers: list[subprocess.Popen[str]], stooq: StooqStandIn
) -> None:
    dying, waiting = workers
    stooq.hold()
    start(dying)
    assert stooq.arrived.acquire(timeout=SOON)
    start(waiting)
    dying.kill()
    stooq.release()
    assert answers_of(waiting) == ["stooq"] * 100
    assert len(stooq.queries) == 2
