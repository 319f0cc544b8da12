"""What must hold whatever breaks, in one place: docs/reliability.md lists the invariants I1 to I8.

A `Recorder` asks for quotes and keeps every answer; afterwards it compares them with the rows in the database. Each
call has a symbol and a price of its own, so an answer that belongs to another call cannot go unseen, and the rows of a
call are known by its symbol, whichever request of its caller has left them.
"""

import itertools
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from scripts.child_processes import Child
from tests.e2e.conftest import ANSWER_SECONDS, System
from tests.outages import LONGEST, Outages, children_of

RECOVERY_SECONDS = 10.0
LOG_LINES_A_SECOND = 20
PATIENCE = ANSWER_SECONDS + LONGEST
"""A caller waits for so long, to tell what comes late from what never comes."""
_INTERNAL = re.compile(r"Traceback|Error\b|sqlite|amqp|pika|127\.0\.0\.1|stock\.quotes|stock\.rpc|SELECT|INSERT|eyJ")
_numbers = itertools.count(1)


def new_code() -> tuple[str, float]:
    """A symbol that nobody has asked for before, and the price that the stand-in for stooq gives it."""
    number = next(_numbers)
    return f"s{number}.us", number + 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """One call and how it ended. Without a `status` nobody answered.

    Of a call that an outage of the API has cost its connection this is the last try.
    """

    code: str
    price: float
    began: float
    seconds: float
    status: int | None = None
    request_id: str = ""
    retry_after: str = ""
    text: str = ""
    replayed: bool = False
    """An earlier request with the same Idempotency-Key has done the work."""
    repeated: bool = False

    @property
    def slug(self) -> str:
        """What kind of problem it is; nothing with a 200."""
        return "" if self.status in {None, 200} else str(json.loads(self.text)["type"]).removeprefix("/problems/")


class Recorder:
    """Asks on behalf of one user, from any number of threads.

    Where there are `outages` of the API each call has an Idempotency-Key, and one that has met an outage is repeated.
    """

    def __init__(self, system: System, database: Path, outages: Outages | None = None) -> None:
        self._system = system
        self._database = database
        self._named = outages is not None
        self._outages = outages or Outages()
        self._last_row = self._query("SELECT coalesce(max(id), 0) FROM history")[0][0]
        self.answers: list[Answer] = []

    def ask(self) -> Answer:
        """Ask for a symbol of its own."""
        code, price = new_code()
        answer = self._try(code, price)
        while answer.status is None and self._outages.excuse(answer.began):
            time.sleep(0.05)
            answer = replace(self._try(code, price), repeated=True)
        self.answers.append(answer)
        return answer

    def _try(self, code: str, price: float) -> Answer:
        asked = time.monotonic()
        try:
            got = self._system.quote(code, key=code if self._named else None, patience=PATIENCE)
        except requests.RequestException as error:
            return Answer(code, price, asked, time.monotonic() - asked, text=repr(error))
        began = self._outages.over(asked)
        return Answer(
            code,
            price,
            began,
            time.monotonic() - began,
            got.status_code,
            got.headers.get("X-Request-ID", ""),
            got.headers.get("Retry-After", ""),
            got.text,
            "Idempotent-Replayed" in got.headers,
        )

    def recovered_in(self, seconds: float = RECOVERY_SECONDS) -> float:
        """Ask until there is a 200; how long that took."""
        began = time.monotonic()
        while (answer := self.ask()).status != requests.codes.ok:
            assert time.monotonic() - began < seconds, f"not served again after {seconds} s: {answer}"
            time.sleep(0.05)
        return time.monotonic() - began

    @property
    def served(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == requests.codes.ok]

    @property
    def unanswered(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status is None]

    def rows(self) -> list[tuple[str, str, float]]:
        """What has been saved since the start: request id, symbol, closing price."""
        return self._query(
            "SELECT request_id, symbol, CAST(close AS REAL) FROM history WHERE id > ? ORDER BY id", self._last_row
        )

    def violations(self) -> list[str]:
        """Every breach of I1 to I4; an empty list is what there should be."""
        return [
            *(f"unanswered (I1): {answer}" for answer in self.unanswered),
            *(f"late (I1): {answer}" for answer in self.answers if answer.seconds > ANSWER_SECONDS),
            *self._breaches_of_history(),
            *(f"crossed (I3): {answer}" for answer in self.served if not _fits(answer)),
            *(f"shows internals (I4): {answer}" for answer in self.answers if _INTERNAL.search(_body(answer))),
        ]

    def lost(self) -> int:
        """200s without a row."""
        return len(self._symbols_served() - {row[1] for row in self.rows()})

    def doubled(self) -> int:
        """Rows beyond the first of one call, and rows of calls that were not answered with a 200."""
        rows = Counter(row[1] for row in self.rows())
        return sum(rows.values()) - len(self._symbols_served() & rows.keys())

    def crossed(self) -> int:
        """Answers that belong to another call."""
        return sum(not _fits(answer) for answer in self.served)

    def _breaches_of_history(self) -> Iterator[str]:
        rows = self.rows()
        of_calls = Counter((symbol, price) for _, symbol, price in rows)
        served = {(answer.code.upper(), answer.price): answer for answer in self.served}
        yield from (f"a 200 without its row (I2): {served[each]}" for each in served.keys() - of_calls.keys())
        yield from (f"a row without its 200 (I2): {each}" for each in of_calls.keys() - served.keys())
        yield from (f"{count} rows of one call (I2): {each}" for each, count in of_calls.items() if count > 1)
        makers = {(symbol, price): request_id for request_id, symbol, price in rows}
        for call in served.keys() & makers.keys():
            answer, maker = served[call], makers[call]
            if answer.replayed == (answer.request_id == maker) or answer.replayed > answer.repeated:
                yield f"the row of another request (I2): {maker} and {answer}"

    def _symbols_served(self) -> set[str]:
        return {answer.code.upper() for answer in self.served}

    def _query(self, statement: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(self._database, timeout=5)) as connection:
            return connection.execute(statement, parameters).fetchall()


def _fits(answer: Answer) -> bool:
    body = json.loads(answer.text)
    return (body["symbol"], body["quote"]) == (answer.code.upper(), answer.price)


def _body(answer: Answer) -> str:
    return "" if answer.status is None else answer.text


class Footprint:
    """Threads and descriptors of one program with its children, against what they were at the start (I6).

    Files of the database are left out: their pool grows to its limit as it is used.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        """May be exchanged for one that has taken its place."""
        self.before = self.now()

    def now(self) -> tuple[int, int]:
        pids = [self.child.pid, *children_of(self.child)]
        threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids)
        return threads, sum(_is_no_file(entry) for pid in pids for entry in Path(f"/proc/{pid}/fd").iterdir())

    def is_back(self) -> bool:
        """True of a program that has ended as well."""
        if not Path(f"/proc/{self.child.pid}").exists():
            return True
        threads, descriptors = self.now()
        return threads <= self.before[0] and descriptors <= self.before[1]


def _is_no_file(entry: Path) -> bool:
    try:
        return not str(entry.readlink()).startswith("/")
    except FileNotFoundError:  # closed since it was listed
        return False


class LogTail:
    """What a program has logged since this object was made, or `from_start`."""

    def __init__(self, log: Path, *, from_start: bool = False) -> None:
        self.log = log
        self._start = 0 if from_start else log.stat().st_size

    def text(self) -> str:
        with self.log.open(encoding="utf-8") as file:
            file.seek(self._start)
            return file.read()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]

    def busiest_second(self) -> int:
        """The most lines in one second that no request has caused (I8)."""
        seconds = Counter(event["timestamp"][:19] for event in self.events() if "request_id" not in event)
        return max(seconds.values(), default=0)
