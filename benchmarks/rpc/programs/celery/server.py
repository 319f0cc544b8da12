"""A worker with a pool of processes, one for each core; a pool of threads was slower."""

import os
from typing import Any

from celery.signals import worker_ready

from benchmarks.rpc.programs.celery.application import app
from benchmarks.rpc.programs.contract import ready

POOL = os.environ.get("CELERY_POOL", "prefork")


@worker_ready.connect  # type: ignore[untyped-decorator,unused-ignore]  # Celery has no types
def _on_ready(**_: Any) -> None:
    ready()


if __name__ == "__main__":
    app.Worker(
        pool=POOL,
        concurrency=int(os.environ.get("CELERY_N", "2")),
        loglevel=os.environ.get("CL", "ERROR"),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
