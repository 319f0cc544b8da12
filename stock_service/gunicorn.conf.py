"""gunicorn for the HTTP door: `gunicorn -c stock_service/gunicorn.conf.py`, or `gunicorn` in this folder."""

# ruff: noqa: N999
# The file's name is the one that gunicorn looks for.

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the workers inherit it

from service_kit import shared_metrics
from service_kit.logs import configure_logging
from service_kit.shared_metrics import (  # noqa: F401  gunicorn finds its hooks by their names
    child_exit,
    on_exit,
    post_fork,
    post_worker_init,
    pre_fork,
)
from service_kit.time_budget import GRACEFUL_STOP
from stock_service.settings import load_or_exit

_settings = load_or_exit()  # here already: a worker that cannot start would be started again and again

wsgi_app = "stock_service.wsgi:app"
_host = f"[{_settings.bind_host}]" if ":" in _settings.bind_host else _settings.bind_host  # an IPv6 address
bind = f"{_host}:{_settings.port}"
workers = 1  # what is learnt of the providers is kept in the process
worker_class = "service_kit.http_worker.Worker"
threads = _settings.worker_threads
keepalive = 30
graceful_timeout = int(GRACEFUL_STOP)
limit_request_line = 4094  # fifty codes of twenty characters, each of three when it is escaped
limit_request_fields = 50
forwarded_allow_ips = ""  # who stands in front is a setting of the application, and nobody else is believed
control_socket_disable = True
loglevel = "warning"  # until our logging is set up: what it has to say earlier is no line of ours
if Path("/dev/shm").is_dir():  # noqa: S108  a worker's heartbeat must not wait for a slow disk
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def on_starting(_server: Any) -> None:
    """In the master: it logs as its worker does, and like it never waits for who reads the log."""
    configure_logging(_settings.log_level, as_json=_settings.logs_as_json)
    shared_metrics.open_metrics(_settings.bind_host, _settings.metrics_port)


def on_reload(_server: Any) -> None:
    """After a SIGHUP, for which gunicorn has set up its own logging again."""
    configure_logging(_settings.log_level, as_json=_settings.logs_as_json)
