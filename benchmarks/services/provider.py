"""A stooq that takes its time, in a process of its own: however many ask at once, each waits so long and no longer.

`python -m benchmarks.services.provider SECONDS` prints its port. `GET /asked` tells how often it was asked for each
symbol since it was last told so.
"""

import asyncio
import http.client
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.frame import NotMeasurableError
from scripts.child_processes import Child
from tests.stand_ins import HEADER, row

_ROOT: Final = Path(__file__).resolve().parents[2]
_BACKLOG: Final = 1024
_START_SECONDS: Final = 20.0


class Provider:
    """The running stand-in, as the benchmark sees it."""

    def __init__(self, child: Child) -> None:
        self._port = int(child.line(_START_SECONDS))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/q/l/"

    def asked(self) -> Counter[str]:
        """How often for each symbol, since this was last called."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/asked")
            return Counter(json.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextmanager
def provider(seconds: float, directory: Path) -> Iterator[Provider]:
    """One that takes `seconds` for each answer, ended with the block."""
    command = [sys.executable, "-m", "benchmarks.services.provider", str(seconds)]
    child = Child(command, log=directory / "provider.log", cwd=_ROOT, talks=True)
    try:
        yield Provider(child)
    except (TimeoutError, ValueError) as error:
        raise NotMeasurableError(f"the provider's stand-in does not start:\n{child.last_lines()}") from error
    finally:
        child.kill()


class _Server:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked: Counter[str] = Counter()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=_BACKLOG)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await self._answer(head.split(b" ", 2)[1].decode())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, target: str) -> bytes:
        if target == "/asked":
            body = json.dumps(self._asked).encode()
            self._asked.clear()
            return body
        codes = parse_qs(urlsplit(target).query)["s"][0].split(" ")
        self._asked.update(codes)
        await asyncio.sleep(self._seconds)
        return HEADER.encode() + b"".join(row(code)[1].removeprefix(HEADER.encode()) for code in codes)


if __name__ == "__main__":
    asyncio.run(_Server(float(sys.argv[1])).serve())
