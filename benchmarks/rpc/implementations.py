"""Who is measured, and how each is set up at its best."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path(__file__).resolve().parents[2]
_BIN: Final = {"ours": ROOT / ".venv/bin", "peers": ROOT / ".venv-peers/bin"}

OURS: Final = "amqp_rpc"
LIMIT: Final = "C client"


@dataclass(frozen=True, slots=True)
class Implementation:
    name: str
    folder: str
    """In `programs/`."""
    runs_in: Literal["ours", "peers"]
    setup: str
    """For the report: what was chosen for it."""

    def command(self, side: Literal["server", "client"]) -> list[str | Path]:
        return [_BIN[self.runs_in] / "python", "-m", f"benchmarks.rpc.programs.{self.folder}.{side}"]


IMPLEMENTATIONS: Final[Sequence[Implementation]] = (
    Implementation(
        OURS,
        "ours",
        "ours",
        "as the services use it: mandatory, expiration, confirms, a deadline for each call, acknowledgement after the"
        " reply, eight worker threads, watchdog",
    ),
    Implementation(
        "kombu by hand",
        "kombu",
        "peers",
        "one connection and one I/O thread on each side, direct reply-to, 32 threads that call",
    ),
    Implementation(
        "aio-pika by hand", "aio_pika_direct", "peers", "uvloop, one channel, direct reply-to, no confirms, 32 tasks"
    ),
    Implementation(
        "aio-pika, RPC pattern", "aio_pika_pattern", "peers", "uvloop, its `JsonRPC`, no confirms, 32 tasks"
    ),
    Implementation(
        "FastStream `request`", "faststream", "peers", "uvloop, eight broker objects (one makes one request at a time)"
    ),
    Implementation(
        "Celery `rpc://`", "celery", "peers", "a pool of two threads (of processes it is slower), 32 threads that call"
    ),
    Implementation("nameko", "nameko", "peers", "32 workers, 32 threads that call with a proxy each, pools as large"),
    Implementation(
        "tutorial client", "tutorial", "peers", "a connection for each call, as RabbitMQ's tutorial teaches RPC"
    ),
)
