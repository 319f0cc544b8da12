"""Exports of a short and of a long history by one API process: how long they take, and what memory it needs."""

import http.client
import time
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from benchmarks.frame import Figures, Measured, NotMeasurableError
from benchmarks.growth.fill import INTERVAL, OWN_SHARE
from benchmarks.growth.page import LONG, SHORT
from benchmarks.services.clients import PATIENCE
from benchmarks.services.running import Services
from benchmarks.usage import forget_peak, peak_of_group

_SHORT_ROWS: Final = 10**3
_LONG_ROWS: Final = 10**6
_PIECE: Final = 1 << 16


def exports(services: Services, group: int, filled_at: datetime) -> Measured:
    """The short one first, and one before it that warms up; `group` is the API's, the history ended at `filled_at`."""
    token = services.token()
    _export(services.port, token, group, filled_at, _SHORT_ROWS)
    sizes = {SHORT: _SHORT_ROWS, LONG: _LONG_ROWS}
    return {name: _export(services.port, token, group, filled_at, rows) for name, rows in sizes.items()}


def _export(port: int, token: str, group: int, filled_at: datetime, rows: int) -> Figures:
    """Of about so many entries, the newest ones; there may be fewer."""
    since = filled_at - timedelta(seconds=rows / OWN_SHARE * INTERVAL)
    forget_peak(group)
    began = time.perf_counter()
    lines = _lines(port, token, "/api/v1/users/history.csv?" + urlencode({"from": f"{since:%Y-%m-%dT%H:%M:%SZ}"}))
    seconds = time.perf_counter() - began
    return {"rows": lines - 1, "seconds": seconds, "peak_bytes": peak_of_group(group)}


def _lines(port: int, token: str, path: str) -> int:
    """Of an answer that is read as it comes, and not kept.

    :raises NotMeasurableError: it was not answered with 200, or not to its end.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise NotMeasurableError(f"{path} was answered with {response.status}")
        return sum(piece.count(b"\n") for piece in iter(lambda: response.read(_PIECE), b""))
    except http.client.HTTPException as error:
        raise NotMeasurableError(f"{path} was not answered to its end") from error
    finally:
        connection.close()
