"""What is wrong with each direction of a link at the moment, and what a chunk of bytes meets there."""

import asyncio
import threading
from dataclasses import dataclass, field
from enum import Enum

CHUNK = 65_536
"""Bytes that are carried at a time."""


class Direction(Enum):
    UP = "from the client to the server"
    DOWN = "from the server to the client"


@dataclass(frozen=True)
class Faults:
    """What is wrong with one direction."""

    swallow: bool = False
    frozen: bool = False
    delay: float = 0.0
    slice_size: int = CHUNK


@dataclass
class Trap:
    """Resets a connection when `text` has come by in one direction."""

    text: bytes
    sprung: threading.Event = field(default_factory=threading.Event)


class LinkFaults:
    """Those of both directions. `traps`, and `left`, the bytes that still pass, may be set from any thread."""

    def __init__(self) -> None:
        self.traps: dict[Direction, Trap] = {}
        self.left: dict[Direction, int] = {}
        self._faults = {direction: Faults() for direction in Direction}
        self._healed = asyncio.Condition()

    def of(self, direction: Direction) -> Faults:
        return self._faults[direction]

    async def set(self, faults: dict[Direction, Faults]) -> None:
        async with self._healed:
            self._faults.update(faults)
            self._healed.notify_all()

    async def thaw(self, direction: Direction) -> None:
        """Wait until the direction is not frozen."""
        async with self._healed:
            await self._healed.wait_for(lambda: not self._faults[direction].frozen)

    def cut_off(self, direction: Direction, data: bytes) -> tuple[bytes, bool]:
        """What of `data` still passes, and whether the connection ends with it."""
        trap = self.traps.get(direction)
        if trap and trap.text in data:
            trap.sprung.set()
            return data, True
        if (left := self.left.get(direction)) is None:
            return data, False
        self.left[direction] = max(0, left - len(data))
        return data[:left], len(data) >= left
