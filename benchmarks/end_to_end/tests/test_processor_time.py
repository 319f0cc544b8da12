import os
import subprocess
import sys
import time

from benchmarks.end_to_end.processor_time import processor_seconds

BUSY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"


def test_what_a_child_of_a_process_computes_counts_for_the_process() -> None:
    parent = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    try:
        end = time.monotonic() + 20
        while processor_seconds({"parent": parent.pid})["parent"] < 0.3:
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        os.killpg(parent.pid, 9)
        parent.wait()


def test_a_process_that_has_ended_has_spent_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert processor_seconds({"ended": ended.pid}) == {"ended": 0.0}
