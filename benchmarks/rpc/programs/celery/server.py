"""A worker with a pool of processes, one for each of two cores."""

from typing import Any, Final

from celery.signals import worker_ready

from benchmarks.rpc.programs.celery.application import app
from benchmarks.rpc.programs.contract import ready

_PROCESSES: Final = 2


@worker_ready.connect  # type: ignore[untyped-decorator,unused-ignore]  # Celery has no types
def _on_ready(**_: Any) -> None:
    ready()


if __name__ == "__main__":
    app.Worker(
        pool="prefork",
        concurrency=_PROCESSES,
        loglevel="ERROR",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
