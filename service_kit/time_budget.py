"""The time budget of one call, in seconds: the one place where these figures stand.

Each layer must end before the layer above it gives up; `tests/rules/test_time_budget.py` asserts the order here, in
the gunicorn configuration and in the compose files. docs/architecture.md draws the budget.
"""

from typing import Final

CLIENT_ANSWER: Final = 8.0
"""The client has its answer, whatever happens."""

RPC_DEADLINE: Final = 6.0
"""A call to the stock service, queueing included; also the message's expiration and its budget header."""

UPSTREAM_TOTAL: Final = 4.0
"""All providers and all tries together."""
UPSTREAM_CONNECT: Final = 1.0
UPSTREAM_READ: Final = 1.5
"""Connecting, and waiting between two bytes, in one try."""

DATABASE_SAVE: Final = 1.5
"""Saving a quote in the history, waiting for locks included."""
DATABASE_LOCK: Final = 1.0

NO_SERVER_GRACE: Final = 3.0
"""For so long calls wait for a worker that is restarting, before callers are told that nobody serves."""

HEARTBEAT: Final = 10
"""AMQP heartbeat; RabbitMQ recommends 5 to 20 s (https://www.rabbitmq.com/docs/heartbeats)."""

GRACEFUL_STOP: Final = 12.0
"""A stopping process may take so long to finish what it has begun."""
CONTAINER_STOP_GRACE: Final = 20.0
"""`stop_grace_period` in the compose files: how long a container may take before it is killed."""
