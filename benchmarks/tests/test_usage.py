"""CPU time and memory of a group of processes."""

import os
import subprocess
import sys

import pytest

from benchmarks.usage import forget_peak, peak_of_group, usage_of_group

BUSY = """
import os, sys, time
block = bytearray(64 << 20)
block[::4096] = b"x" * len(block[::4096])
if os.fork() == 0:
    while time.process_time() < 0.2: pass
    print("ready", flush=True)
sys.stdin.read()
"""


def test_the_processes_of_a_group_are_counted_together() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        usage = usage_of_group(process.pid)
        assert process.stdin
        process.stdin.close()
    assert usage.cpu >= 0.2
    assert 64 << 20 < usage.memory < 2 * (64 << 20)  # both have the block, as one: it was forked


GROWS = """
import sys
for line in sys.stdin:
    block = b"x" * (int(line) << 20)
    del block
    print("ready", flush=True)
"""


def test_a_peak_that_is_forgotten_leaves_the_next_one() -> None:
    peaks = []
    with subprocess.Popen(
        [sys.executable, "-c", GROWS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for megabytes in (64, 8):
            forget_peak(process.pid)
            print(megabytes, file=process.stdin, flush=True)
            process.stdout.readline()
            peaks.append(peak_of_group(process.pid))
        process.stdin.close()
    assert peaks[0] > 64 << 20
    assert 8 << 20 < peaks[1] < 40 << 20


def test_a_group_that_is_not_there_is_said() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        pass
    assert process.pid != os.getpgrp()
    with pytest.raises(ProcessLookupError):
        usage_of_group(process.pid)
