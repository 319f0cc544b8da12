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
DATABASE_ROLLBACK: Final = 0.25
"""After that PostgreSQL may still say that it has given up, and roll back; then its connection is dropped."""
DATABASE_LOCK: Final = 1.0
DATABASE_PING: Final = 0.5
"""A connection that was silent for a second, or was sent something, answers in this time, or is replaced."""
DATABASE_ANSWER: Final = 2.0
"""No answer of the database takes longer, because it has limits of its own; then it, or the way to it, is gone."""
DATABASE_IDLE: Final = 5.0
"""A transaction that does nothing for so long has lost its owner."""
MIGRATION_LOCK: Final = 60.0
"""A migration waits so long for another one to end."""

LOGIN_TURN: Final = 3.0
"""A log-in waits so long for its turn to be checked; then come two writes to the database and a hash."""

READY_DATABASE: Final = 1.0
READY_STOCK_SERVICE: Final = 1.0
"""What one look of /readyz may take of each; together less than who probes should wait, 3 s."""
PROBE: Final = 3.0

NO_SERVER_GRACE: Final = 3.0
"""For so long calls wait for a worker that is restarting, before callers are told that nobody serves."""

CONNECT_FIRST: Final = 3.0
"""A process that has started waits so long for its connection to the broker before it serves."""

HANDLER_HUNG: Final = 30.0
"""A worker whose handler is still busy so long after its caller's deadline ends itself, to be started anew."""

HEARTBEAT: Final = 10
"""AMQP heartbeat; RabbitMQ recommends 5 to 20 s (https://www.rabbitmq.com/docs/heartbeats)."""

GRACEFUL_STOP: Final = 12.0
"""A stopping process may take so long to finish what it has begun."""
CONTAINER_STOP_GRACE: Final = 20.0
"""`stop_grace_period` in the compose files: how long a container may take before it is killed."""
