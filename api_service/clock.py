"""What time it is, from one place, so that tests can move it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, by the wall clock, in UTC. Call it as `clock.utc_now()`."""
    return datetime.now(UTC)
