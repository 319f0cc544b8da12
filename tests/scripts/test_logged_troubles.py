"""Of all that containers say, what they complain of is counted."""

from scripts.logged_troubles import logged_troubles

LOGS = """\
Attaching to api-service_1, db_1
api-service_1  | {"event": "db.locked", "level": "error", "code": "55P03"}
api-service_1  | {"event": "rpc.connected", "level": "info"}
api-service_2  | {"event": "db.pool_timeout", "level": "warning"}
api-service_1  | {"event": "db.locked", "level": "error", "code": "55P03", "request_id": "r2"}
db_1           | LOG:  checkpoint starting: time
db_1           | 42
"""


def test_complaints_are_counted_by_container_and_event() -> None:
    assert logged_troubles(LOGS).splitlines() == [
        "     2 x api-service_1 db.locked 55P03",
        "     1 x api-service_2 db.pool_timeout",
    ]
