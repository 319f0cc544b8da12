"""What every program of the RPC benchmark does alike: its command line, its output, the question and the reply.

    python -m benchmarks.rpc.programs.NAME.server URL QUEUE
    python -m benchmarks.rpc.programs.NAME.client URL QUEUE

Each prints the line `ready` when it can be used. A client then reads lines `OUTSTANDING SECONDS` from its standard
input, calls for so long with so many calls outstanding, and prints one JSON object for each.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

CALL_TIMEOUT: Final = 10.0
"""Seconds; a call that takes longer ends the benchmark."""
PREFETCH: Final = 32
"""Of the servers whose number of deliveries at a time can be chosen: as many as calls are outstanding."""

_QUOTE: Final = {
    "name": "APPLE",
    "open": "148.43",
    "high": "150.4",
    "low": "147.48",
    "close": "149.99",
    "volume": 63804008,
    "currency": "USD",
    "source": "stooq",
}


def arguments() -> tuple[str, str]:
    """The broker's URL and the name of the queue."""
    url, queue = sys.argv[1:]
    return url, queue


def ready() -> None:
    print("ready", flush=True)


def quote(symbol: str) -> dict[str, object]:
    """A reply: nine fields."""
    return {"symbol": symbol, **_QUOTE}


def answer(body: bytes | str) -> bytes:
    """The reply to a request, for the servers that are given bytes."""
    return json.dumps(quote(json.loads(body)["symbol"])).encode()


def question(symbol: str) -> bytes:
    """The request, for the clients that send bytes."""
    return json.dumps({"symbol": symbol}).encode()


def symbol_of(number: int) -> str:
    """Each call asks for another one, so that a reply to another call is seen."""
    return f"S{number}.US"


def check(reply: Mapping[str, Any], symbol: str) -> None:
    """:raises ValueError: it is not the reply to this call."""
    if reply["symbol"] != symbol or len(reply) != len(_QUOTE) + 1:
        raise ValueError(f"a wrong reply: {reply}")


def report(latencies: Sequence[float], seconds: float) -> None:
    """Print what one command has measured; `latencies` in seconds."""
    ordered = sorted(latencies)
    figures = {
        "calls": len(ordered),
        "seconds": seconds,
        "p50_ms": 1000 * percentile(ordered, 50),
        "p99_ms": 1000 * percentile(ordered, 99),
    }
    print(json.dumps(figures), flush=True)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """By nearest rank: the smallest value that `percent` of a hundred of `ordered` do not exceed."""
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]
