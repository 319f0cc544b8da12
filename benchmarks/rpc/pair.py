"""A server and a client of one implementation, as two processes, and what they and the broker use while they work."""

import json
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks.frame import Figures, NotMeasurableError
from benchmarks.usage import Usage, usage_of_group
from scripts.child_processes import Child

_START_SECONDS: Final = 30.0
_SPARE_SECONDS: Final = 30.0
_READY: Final = "ready\n"

Command = Sequence[str | Path]


class Pair:
    """Started on entering, killed on leaving.

    :param broker: the group of the broker's processes, if it is ours.
    """

    def __init__(self, name: str, server: Command, client: Command, *, url: str, broker: int, directory: Path) -> None:
        self._name = name
        self._commands = (server, client)
        self._url = url
        self._broker = broker
        self._directory = directory
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with self._running:  # what was started is ended when the rest cannot be
            queue = f"benchmark.{secrets.token_hex(4)}"
            children = [self._start(command, queue) for command in self._commands]
            for child in children:
                self._await(child, _READY, _START_SECONDS)
            self._server, self._client = children
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def ask(self, outstanding: int, seconds: float) -> Figures:
        """Keep so many calls outstanding for so long.

        :raises NotMeasurableError: a call failed.
        """
        before = self._usage()
        self._client.tell(f"{outstanding} {seconds}")
        line = self._await(self._client, "{", seconds + _SPARE_SECONDS)
        after = self._usage()
        return self._figures(json.loads(line), before, after)

    def _start(self, command: Command, queue: str) -> Child:
        log = self._directory / f"{queue}.log"
        child = Child([*command, self._url, queue], log=log, cwd=Path(__file__).parents[2], talks=True)
        self._running.callback(child.kill)
        return child

    def _await(self, child: Child, beginning: str, seconds: float) -> str:
        """The next line that begins so; libraries may print others."""
        try:
            while line := child.line(seconds):
                if line.startswith(beginning):
                    return line
        except TimeoutError:
            pass
        raise NotMeasurableError(f"{self._name} does not answer. Its last lines:\n{child.last_lines()}")

    def _usage(self) -> tuple[Usage, Usage, Usage]:
        server, client = usage_of_group(self._server.pid), usage_of_group(self._client.pid)
        return client, server, usage_of_group(self._broker)

    @staticmethod
    def _figures(measured: Figures, before: Sequence[Usage], after: Sequence[Usage]) -> Figures:
        calls = measured["calls"]
        client, server, broker = (
            1000 * (then.cpu - first.cpu) / calls for first, then in zip(before, after, strict=True)
        )
        return {
            "rate": calls / measured["seconds"],
            "p50_ms": measured["p50_ms"],
            "p99_ms": measured["p99_ms"],
            "client_cpu_ms": client,
            "server_cpu_ms": server,
            "broker_cpu_ms": broker,
            "client_bytes": after[0].memory,
            "server_bytes": after[1].memory,
        }
