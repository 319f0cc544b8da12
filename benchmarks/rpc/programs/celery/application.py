"""The Celery application that both sides share."""

from typing import Any

from celery import Celery

from benchmarks.rpc.programs.contract import arguments, quote

url, queue = arguments()
app = Celery("quotes", broker=url, backend="rpc://")
app.conf.update(
    task_default_queue=queue,
    task_default_delivery_mode="transient",
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=8,
    worker_send_task_events=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=32,
    task_acks_late=True,
)


@app.task(name="quote")  # type: ignore[untyped-decorator,unused-ignore]  # Celery has no types
def task(symbol: str) -> dict[str, Any]:
    return quote(symbol)
