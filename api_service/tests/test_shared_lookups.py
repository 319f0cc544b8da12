import threading
import time
from collections.abc import Callable

import pytest

from api_service.database import DatabaseUnavailableError
from api_service.shared_lookups import SharedLookups


class Source:
    """Answers with the number of the look-up; the first one waits until it is told to go on."""

    def __init__(self) -> None:
        self.looked_up: list[str] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def __call__(self, key: str) -> int:
        self.looked_up.append(key)
        number = len(self.looked_up)
        if number == 1:
            self.began.set()
            self.go_on.wait(10)
        if self.error:
            raise self.error
        return number


@pytest.fixture
def source() -> Source:
    return Source()


class Callers:
    def __init__(self, lookups: SharedLookups[str, int]) -> None:
        self.lookups = lookups
        self.threads: list[threading.Thread] = []
        self.found: dict[str, int | Exception] = {}

    def start(self, name: str, key: str = "k") -> None:
        self.threads.append(threading.Thread(target=self._call, args=(name, key)))
        self.threads[-1].start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    def _call(self, name: str, key: str) -> None:
        try:
            self.found[name] = self.lookups(key)
        except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
            self.found[name] = error


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def first_and_three_behind_it(source: Source) -> Callers:
    callers = Callers(SharedLookups(source))
    callers.start("a")
    assert source.began.wait(5)
    for name in "bcd":
        callers.start(name)
    eventually(lambda: len(callers.lookups._waiting["k"]) == 3)
    return callers


def test_who_comes_during_a_look_up_shares_the_next_one(source: Source) -> None:
    callers = first_and_three_behind_it(source)
    source.go_on.set()
    callers.join()
    assert callers.found == {"a": 1, "b": 2, "c": 2, "d": 2}
    assert callers.lookups._waiting == {}


def test_one_after_the_other_each_is_looked_up(source: Source) -> None:
    source.go_on.set()
    lookups = SharedLookups(source)
    assert [lookups("k"), lookups("k"), lookups("other")] == [1, 2, 3]


def test_different_keys_do_not_wait_for_each_other(source: Source) -> None:
    callers = Callers(SharedLookups(source))
    callers.start("a")
    assert source.began.wait(5)
    assert callers.lookups("other") == 2
    source.go_on.set()
    callers.join()


def test_an_absent_database_is_told_to_all_who_wait_and_is_not_remembered(source: Source) -> None:
    callers = first_and_three_behind_it(source)
    source.error = DatabaseUnavailableError()
    source.go_on.set()
    callers.join()
    assert source.looked_up == ["k"]
    assert {type(found) for found in callers.found.values()} == {DatabaseUnavailableError}
    assert len(set(map(id, callers.found.values()))) == 4
    source.error = None
    assert callers.lookups("k") == 2


def test_a_defect_is_everybodys_own(source: Source) -> None:
    callers = first_and_three_behind_it(source)
    source.error = ZeroDivisionError()
    source.go_on.set()
    callers.join()
    assert source.looked_up == ["k"] * 4
    assert {type(found) for found in callers.found.values()} == {ZeroDivisionError}


def test_under_load_everybody_is_told_what_was_looked_up_after_they_came(source: Source) -> None:
    source.go_on.set()
    lookups = SharedLookups(source)
    late: list[tuple[int, int]] = []

    def work() -> None:
        for _ in range(200):
            before = len(source.looked_up)
            if (found := lookups("k")) <= before:
                late.append((found, before))

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert late == []
