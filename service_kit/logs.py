"""Logging set-up: static event names with fields, readable in development, JSON lines in production.

Code logs with the standard library, `_log.info("rpc.connected", extra={"host": host})`; structlog renders it and adds
the request id of the context.
"""

import logging
import logging.config
import sys
from typing import Any

import structlog
from structlog.dev import plain_traceback

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
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {name: {"level": quieter} for name, quieter in _QUIETER.items()},
        }
    )
