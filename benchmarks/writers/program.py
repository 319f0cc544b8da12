"""Saves quotes as the API does, from so many threads; its environment is that of the API.

`python -m benchmarks.writers.program THREADS SYMBOLS COUNTERS` prints `ready`, and for each line with a number of
seconds the number of saves in it.
"""

import os
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from flask import Flask

from api_service import history, users
from api_service.app import create_app
from api_service.settings import load
from stock_contract import Quote

_QUOTE: Final = Quote(
    symbol="",
    name="COMPANY",
    open=Decimal("148.43"),
    high=Decimal("150.4"),
    low=Decimal("147.48"),
    close=Decimal("149.99"),
    volume=63804008,
    currency="USD",
    source="stooq",
    as_of=datetime(2026, 3, 18, 20, 0, 19, tzinfo=UTC),
    fetched_at=datetime(2026, 3, 18, 20, 15, tzinfo=UTC),
)


def main(threads: int, symbols: int, counters: int) -> None:
    vars(history)["COUNT_SLOTS"] = counters  # what would be with fewer
    app = create_app(load(os.environ))
    with app.app_context():
        user = users.find_credentials("johndoe")
    assert user
    print("ready", flush=True)
    for line in sys.stdin:
        print(sum(_saved(app, user.user_id, threads, symbols, float(line))), flush=True)


def _saved(app: Flask, user_id: int, threads: int, symbols: int, seconds: float) -> Sequence[int]:
    """By each thread."""
    counts = [0] * threads
    end = time.monotonic() + seconds

    def save(number: int) -> None:
        quote = replace(_QUOTE, symbol=f"W{number % symbols}.US")
        with app.app_context():
            while time.monotonic() < end:
                history.save_quotes(user_id, uuid.uuid4().hex, datetime.now(UTC), [quote])
                counts[number] += 1

    running = [threading.Thread(target=save, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return counts


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
