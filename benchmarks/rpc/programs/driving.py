"""Keeps calls outstanding, by threads or by tasks, and takes the time of each."""

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.rpc.programs.contract import check, ready, report, symbol_of

Call = Callable[[str], Mapping[str, Any]]
AsyncCall = Callable[[str], Awaitable[Mapping[str, Any]]]


def drive(caller: Callable[[int], Call]) -> None:
    """Serve the commands with threads; `caller` gives the call that thread number n (from 0) makes.

    The threads are kept, as those of a web server are: some clients have a connection for each.
    """
    ready()
    threads: list[ThreadPoolExecutor] = []
    calls: list[Call] = []
    for outstanding, seconds in _commands():
        for number in range(len(threads), outstanding):
            threads.append(ThreadPoolExecutor(1))
            calls.append(caller(number))
        loop = _Loop(seconds)
        runs = [thread.submit(loop.run, call) for thread, call in zip(threads[:outstanding], calls, strict=False)]
        for run in runs:
            run.result()
        loop.report()


async def drive_async(call: AsyncCall) -> None:
    """Serve the commands with tasks."""
    ready()
    for outstanding, seconds in _commands():  # it waits, and nothing else is to run meanwhile but heartbeats
        loop = _Loop(seconds)
        await asyncio.gather(*(loop.run_async(call) for _ in range(outstanding)))
        loop.report()


def _commands() -> Iterator[tuple[int, float]]:
    for line in sys.stdin:
        outstanding, seconds = line.split()
        yield int(outstanding), float(seconds)


class _Loop:
    """One command: calls until the time is over."""

    _numbers = itertools.count()

    def __init__(self, seconds: float) -> None:
        self._latencies: list[float] = []
        self._began = time.perf_counter()
        self._end = self._began + seconds

    def run(self, call: Call) -> None:
        while (begin := time.perf_counter()) < self._end:
            symbol = symbol_of(next(self._numbers))
            check(call(symbol), symbol)
            self._latencies.append(time.perf_counter() - begin)

    async def run_async(self, call: AsyncCall) -> None:
        while (begin := time.perf_counter()) < self._end:
            symbol = symbol_of(next(self._numbers))
            check(await call(symbol), symbol)
            self._latencies.append(time.perf_counter() - begin)

    def report(self) -> None:
        report(self._latencies, time.perf_counter() - self._began)
