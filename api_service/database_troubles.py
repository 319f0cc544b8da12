"""What a database can do wrong, by cause: the name in the log, how grave it is, and whether trying again may help."""

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError


@dataclass(frozen=True, slots=True)
class Trouble:
    event: str
    level: int = logging.ERROR
    passing: bool = False
    """The same transaction may succeed at once: a lock or a connection was lost, not the database."""


LOCKED: Final = Trouble("db.locked", passing=True)
FULL: Final = Trouble("db.full", logging.CRITICAL)
READ_ONLY: Final = Trouble("db.readonly", logging.CRITICAL)
AWAY: Final = Trouble("db.unavailable")
LOST: Final = Trouble("db.unavailable", passing=True)
COMMIT_UNKNOWN: Final = Trouble("db.commit_unknown", passing=True)
FAILED: Final = Trouble("db.failed")

# https://www.sqlite.org/rescode.html, without what follows the primary code
_BY_SQLITE_NAME: Final = {
    "BUSY": LOCKED,
    "LOCKED": LOCKED,
    "FULL": FULL,
    "READONLY": READ_ONLY,
    "CANTOPEN": AWAY,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE: Final = {
    "55P03": LOCKED,  # lock_timeout
    "40P01": LOCKED,  # a deadlock, of which this transaction was the victim
    "53100": FULL,
    "25006": READ_ONLY,
    "25P03": LOST,  # idle_in_transaction_session_timeout
    "53300": AWAY,  # too many connections
}
_LOST_CLASSES: Final = ("08", "57P")
"""Connection exceptions; and the server is being stopped, or has just been started."""


def trouble_of(error: DBAPIError, *, in_commit: bool) -> Trouble:
    """The cause of what the driver reports; `in_commit` when it did so while it was committing."""
    if error.orig is None:
        return FAILED
    if sqlite_name := getattr(error.orig, "sqlite_errorname", None):
        return _BY_SQLITE_NAME.get(sqlite_name.split("_")[1], FAILED)
    sqlstate = getattr(error.orig, "sqlstate", None)
    lost = error.connection_invalidated or (sqlstate or "").startswith(_LOST_CLASSES)
    if lost:
        return COMMIT_UNKNOWN if in_commit else LOST
    if sqlstate is None:  # nobody answered who could have given one
        return AWAY if isinstance(error, OperationalError) else FAILED
    return _BY_SQLSTATE.get(sqlstate, FAILED)
