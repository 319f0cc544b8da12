"""Threads that call at the same time; the error of one comes out where its result is asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def callers(count: int = 1) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(count, thread_name_prefix="caller") as pool:
        yield pool
