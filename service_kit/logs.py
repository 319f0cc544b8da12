"""Logging set-up: static event names with fields, readable in development, JSON lines in production.

Code logs with the standard library, `_log.info("rpc.connected", extra={"host": host})`; structlog renders it and adds
the request id of the context.
"""

import logging
import logging.config
from typing import Any

import structlog

_QUIETER = {"pika": "WARNING", "urllib3": "WARNING"}


def configure_logging(level: str = "INFO", *, as_json: bool) -> None:
    """Send every log record to standard error, one line each; line breaks in values are escaped in both forms."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
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
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
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
