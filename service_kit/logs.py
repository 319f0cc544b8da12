"""Logging set-up: static event names with fields, readable in development, JSON lines in production.

Code logs with the standard library, `_log.info("rpc.connected", extra={"host": host})`; structlog renders it and adds
the request id of the context. The lines leave through a bounded queue, so that nobody waits for who reads them.
"""

import logging
import logging.config
import sys
from types import TracebackType
from typing import Any, Final

import structlog
from structlog.dev import plain_traceback

# gunicorn's own lines go the same way as ours: its handler would wait for the reader.
_GUNICORN: Final = "gunicorn.error"

_log = logging.getLogger(__name__)

# pika reports every loss with stack traces of its own; amqp_rpc reports each once, under a static name.
_QUIETER = {"pika": "CRITICAL", "urllib3": "WARNING", "alembic.runtime.plugins": "WARNING"}


def configure_logging(level: str = "INFO", *, as_json: bool) -> None:
    """Send every log record to standard error, one line each; line breaks in values are escaped in both forms.

    Only in the readable form does a traceback take lines of its own.
    """
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        # plain_traceback: the default shows local variables, and some of them are secrets
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback)]
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    }
    sys.excepthook = _tell_of_crash
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "service_kit.log_queue.LogQueueHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {name: {"level": quieter} for name, quieter in _QUIETER.items()}
            | {_GUNICORN: {"handlers": [], "propagate": True, "level": level}},
        }
    )


def _tell_of_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The end of a process goes the way of its other lines: beside them it could get between two halves of one."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("process.crashed", exc_info=(kind, error, trace))
