"""A history as a file, as gunicorn sends it: whole, or a broken transfer that every client notices."""

import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.integration.api_process import SECONDS, ApiProcess

pytestmark = pytest.mark.timeout(60)

ROWS = 3000
FILL = """
WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ?)
INSERT INTO history (user_id, request_id, position, requested_at, symbol, name, open, high, low, close, source, as_of,
                     stale)
SELECT users.id, 'r', n, strftime('%Y-%m-%d %H:%M:%S.000000', 'now', -n || ' seconds'), 'S' || (n % 2), 'COMPANY', '1',
       '1', '1', CASE WHEN n = 1501 THEN 'broken' ELSE '1.10' END, 'stooq', '2026-01-01 00:00:00.000000', 0
FROM series, users WHERE username = 'johndoe'
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "api.log"


@pytest.fixture(scope="module")
def api(log: Path) -> Iterator[ApiProcess]:
    api = ApiProcess(log.parent)
    with closing(sqlite3.connect(log.parent / "api.sqlite3")) as connection, connection:
        connection.execute(FILL, [ROWS])
    with log.open("wb") as file, api.running(file):
        yield api


def test_what_breaks_in_the_middle_is_seen_by_the_client(api: ApiProcess, log: Path) -> None:
    token = api.log_in().json()["token"]
    for _ in range(3):  # more often than there are places
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            api.get("/api/v1/users/history.csv", token)
    whole = api.get("/api/v1/users/history.csv?symbol=s0", token)
    assert whole.status_code == 200
    assert len(whole.text.splitlines()) == ROWS / 2 + 1
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    broken = [event for event in events if event["event"] == "export.broken_off"]
    assert len(broken) == 3
    assert all(event["request_id"] for event in broken)
    assert "Error handling request" not in log.read_text(encoding="utf-8")


def test_a_connection_serves_on_after_a_file(api: ApiProcess) -> None:
    headers = {"Authorization": f"Bearer {api.log_in().json()['token']}"}
    with closing(http.client.HTTPConnection("127.0.0.1", api.port, timeout=SECONDS)) as connection:
        for method in ("GET", "HEAD", "GET", "GET"):
            connection.request(method, "/api/v1/users/history.csv?symbol=s0", headers=headers)
            answer = connection.getresponse()
            assert (answer.status, len(answer.read().splitlines())) == (200, 0 if method == "HEAD" else ROWS // 2 + 1)
