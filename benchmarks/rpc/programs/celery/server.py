"""A worker with a pool of two threads; a pool of processes costs it more for each call."""

from typing import Any, Final

from celery.signals import worker_ready

from benchmarks.rpc.programs.celery.application import app
from benchmarks.rpc.programs.contract import ready

_THREADS: Final = 2


@worker_ready.connect  # type: ignore[untyped-decorator,unused-ignore]  # Celery has no types
def _on_ready(**_: Any) -> None:
    ready()


if __name__ == "__main__":
    app.Worker(
        pool="threads",
        concurrency=_THREADS,
        loglevel="ERROR",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
