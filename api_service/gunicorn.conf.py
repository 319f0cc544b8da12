"""How gunicorn serves this process: `gunicorn -c api_service/gunicorn.conf.py`.

Environment, beside the service's other settings: `BIND_HOST` (127.0.0.1; 0.0.0.0 in a container), `WEB_CONCURRENCY`
(processes, 1; use PostgreSQL for more than one, because SQLite takes one writer at a time) and `WEB_THREADS`
(requests at a time in each process, 80: one that waits in a thread costs little, and one that waits for a thread has
its deadline start late).
"""  # noqa: N999  gunicorn looks for a file of this name

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # gunicorn adds the working directory only

from flask import Flask

from api_service.settings import load_or_exit
from service_kit import shared_metrics, time_budget
from service_kit.deadline import Deadline
from service_kit.logs import configure_logging
from service_kit.shared_metrics import (  # noqa: F401  gunicorn finds its hooks by their names
    child_exit,
    on_exit,
    post_fork,
    pre_fork,
)

# Here, in the master: a worker that ends over its settings would be started again for ever.
_settings = load_or_exit()
_memory = Path("/dev/shm")  # noqa: S108  not for files of ours; see worker_tmp_dir

wsgi_app = "api_service.wsgi:app"
_host = f"[{_settings.bind_host}]" if ":" in _settings.bind_host else _settings.bind_host  # an IPv6 address
bind = f"{_host}:{_settings.port}"
worker_class = "service_kit.http_worker.Worker"
workers = _settings.processes
threads = _settings.threads

graceful_timeout = int(time_budget.GRACEFUL_STOP)
timeout = 30
"""Seconds without a heartbeat after which a worker is replaced; with threads it does not limit a request."""
keepalive = 5
limit_request_line = 2048
limit_request_fields = 50
forwarded_allow_ips = ""  # who stands in front is a setting of the application, and nobody else is believed
control_socket_disable = True  # it would need a writable home directory
loglevel = "warning"  # until our logging is set up: what it has to say earlier is no line of ours
worker_tmp_dir = str(_memory) if _memory.is_dir() else None  # the heartbeat file: a busy disk would look like a hang


def on_starting(_server: Any) -> None:
    """In the master: log as the workers do, and refuse to serve on tables of an older version."""
    configure_logging(_settings.log_level, as_json=_settings.in_production)
    shared_metrics.open_metrics(_settings.bind_host, _settings.metrics_port)

    from api_service.app import create_app  # only now: with it come the metrics
    from api_service.schema import require_migrated

    require_migrated(create_app(_settings))


def on_reload(_server: Any) -> None:
    """After a SIGHUP, for which gunicorn has set up its own logging again."""
    configure_logging(_settings.log_level, as_json=_settings.in_production)


def post_worker_init(worker: Any) -> None:
    """Connect to the stock service before the first request: those that come meanwhile wait in the kernel."""
    shared_metrics.post_worker_init(worker)

    from api_service.services import services_of

    services_of(worker.wsgi).stock_client.prepare(Deadline.after(time_budget.CONNECT_FIRST))


def worker_exit(_server: Any, worker: Any) -> None:
    """Close the way to the stock service, after the last request has its answer."""
    app = getattr(worker, "wsgi", None)  # not there when the application could not be loaded
    if isinstance(app, Flask):
        from api_service.services import services_of

        services_of(app).stock_client.close()
