"""Calls are kept outstanding, and a wrong reply ends the program."""

import asyncio
import io
import json
import sys
import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from benchmarks.rpc.programs import driving
from benchmarks.rpc.programs.contract import quote
from benchmarks.rpc.programs.driving import Call, drive, drive_async


def test_so_many_threads_call_at_once_and_each_keeps_its_own_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("4 0.05\n2 0.5\n"))
    met = threading.Event()
    together = threading.Barrier(4, action=met.set, timeout=10)
    # The clock stands until all four are here, however long they take.
    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() if met.is_set() else 0.0)
    monkeypatch.setattr(driving, "time", clock)
    made: list[int] = []
    callers: dict[int, set[int]] = {}

    def caller(number: int) -> Call:
        made.append(number)
        callers[number] = set()

        def call(symbol: str) -> Mapping[str, object]:
            if not callers[number]:
                together.wait()  # breaks unless all four are here
            callers[number].add(threading.get_ident())
            return quote(symbol)

        return call

    drive(caller)
    ready, *measured = capsys.readouterr().out.splitlines()
    assert ready == "ready"
    assert [json.loads(each)["calls"] >= least for each, least in zip(measured, (4, 2), strict=True)] == [True, True]
    assert made == [0, 1, 2, 3]
    assert [len(each) for each in callers.values()] == [1, 1, 1, 1]


def test_so_many_tasks_call_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("3 0.05\n"))
    highest = running = 0

    async def call(symbol: str) -> Mapping[str, object]:
        nonlocal highest, running
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0)
        running -= 1
        return quote(symbol)

    asyncio.run(drive_async(call))
    assert highest == 3
    assert json.loads(capsys.readouterr().out.splitlines()[1])["calls"] > 3


def test_a_wrong_reply_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1 5\n"))
    with pytest.raises(ValueError, match="wrong reply"):
        drive(lambda _: lambda _symbol: quote("ANOTHER.US"))
