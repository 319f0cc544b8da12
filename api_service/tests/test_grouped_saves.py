import threading
import time
from collections.abc import Callable, Sequence

import pytest

from api_service.database import DatabaseUnavailableError
from api_service.grouped_saves import GroupedSaves
from service_kit import time_budget
from service_kit.deadline import Deadline


class Database:
    """Notes each transaction; the first one waits until it is told to go on."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.deadlines: list[Deadline] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.fail: Callable[[Sequence[str]], BaseException | None] = lambda _: None

    def save(self, items: Sequence[str], deadline: Deadline) -> None:
        self.transactions.append(list(items))
        self.deadlines.append(deadline)
        if not self.began.is_set():
            self.began.set()
            self.go_on.wait(10)
        if error := self.fail(items):
            raise error


@pytest.fixture
def database() -> Database:
    return Database()


class Callers:
    """Threads that save one item each, one after the other; `outcomes` has what each of them got."""

    def __init__(self, saves: GroupedSaves[str]) -> None:
        self._saves = saves
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[str, BaseException | None] = {}

    def start(self, item: str, seconds: float = 5.0) -> None:
        before = len(self._saves._queue)
        thread = threading.Thread(target=self._call, args=(item, Deadline.after(seconds)))
        thread.start()
        self._threads.append(thread)
        if len(self._threads) > 1:
            eventually(lambda: len(self._saves._queue) > before)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _call(self, item: str, deadline: Deadline) -> None:
        try:
            self._saves(item, deadline)
        except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
            self.outcomes[item] = error
        else:
            self.outcomes[item] = None


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def start(database: Database, *items: str, at_once: int = 1) -> Callers:
    """The first item's transaction has begun, the others wait."""
    callers = Callers(GroupedSaves(database.save, at_once))
    for item in items:
        callers.start(item)
        assert database.began.wait(5)
    return callers


def test_a_lone_item_is_saved_at_once_and_by_itself(database: Database) -> None:
    database.go_on.set()
    saves = GroupedSaves(database.save, 1)
    for item in "ab":
        saves(item, Deadline.after(1))
    assert database.transactions == [["a"], ["b"]]


def test_those_who_wait_for_a_transaction_share_the_next_one(database: Database) -> None:
    callers = start(database, "a", "b", "c", "d")
    database.go_on.set()
    callers.join()
    assert database.transactions == [["a"], ["b", "c", "d"]]
    assert set(callers.outcomes.values()) == {None}
    assert database.deadlines[1] is not database.deadlines[0]


def test_several_transactions_may_go_on_at_once(database: Database) -> None:
    callers = Callers(GroupedSaves(database.save, 2))
    callers.start("a")
    assert database.began.wait(5)
    callers._saves("b", Deadline.after(1))
    assert database.transactions == [["a"], ["b"]]
    database.go_on.set()
    callers.join()


def test_an_absent_database_is_told_to_all_who_share_a_transaction(database: Database) -> None:
    callers = start(database, "a", "b", "c")
    database.fail = lambda items: DatabaseUnavailableError(passing=True) if len(items) > 1 else None
    database.go_on.set()
    callers.join()
    assert database.transactions == [["a"], ["b", "c"]]
    assert callers.outcomes["a"] is None
    errors = [callers.outcomes["b"], callers.outcomes["c"]]
    assert all(isinstance(error, DatabaseUnavailableError) and error.passing for error in errors)
    assert errors[0] is not errors[1]


@pytest.mark.parametrize(
    "error", [DatabaseUnavailableError(refused=True), ZeroDivisionError()], ids=["refused", "bug"]
)
def test_what_is_wrong_with_one_item_harms_no_other(database: Database, error: BaseException) -> None:
    callers = start(database, "a", "b", "bad", "c")
    database.fail = lambda items: error if "bad" in items else None
    database.go_on.set()
    callers.join()
    assert database.transactions[1] == ["b", "bad", "c"]
    assert sorted(database.transactions[2:]) == [["b"], ["bad"], ["c"]]
    assert {item for item, outcome in callers.outcomes.items() if outcome is None} == {"a", "b", "c"}
    assert type(callers.outcomes["bad"]) is type(error)


def test_who_waits_too_long_gives_up_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time_budget, "DATABASE_LOCK", 0.05)
    callers = start(database, "a", "b")
    eventually(lambda: "b" in callers.outcomes)
    assert isinstance(callers.outcomes["b"], DatabaseUnavailableError)
    assert "db.write_queue_timeout" in caplog.messages
    database.go_on.set()
    callers.join()
    callers._saves("c", Deadline.after(1))
    assert database.transactions == [["a"], ["c"]]


def test_nobody_is_lost_or_saved_twice_under_load(database: Database) -> None:
    database.go_on.set()
    saves = GroupedSaves(database.save, 2)

    def work(name: int) -> None:
        for n in range(100):
            saves(f"{name}-{n}", Deadline.after(5))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    saved = [item for items in database.transactions for item in items]
    assert len(saved) == len(set(saved)) == 1200
