"""Every case is measured once in each round, in an order that changes."""

from benchmarks.frame import Case, Measured, measure

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]


def test_each_case_is_measured_once_in_each_round_in_shuffled_order() -> None:
    order: list[str] = []
    cases = [Case(name, lambda name=name: _noted(order, name)) for name in NAMES]  # type: ignore[misc]
    rounds = measure(cases, 20, lambda _: None)
    orders = [tuple(order[at : at + len(NAMES)]) for at in range(0, len(order), len(NAMES))]
    assert [sorted(each) for each in orders] == [NAMES] * 20
    assert len(set(orders)) > 1
    assert [list(each) for each in rounds] == [NAMES] * 20


def test_it_says_what_is_measured() -> None:
    said: list[str] = []
    measure([Case("a", dict)], 2, said.append)
    assert said == ["round 1 of 2: a", "round 2 of 2: a"]


def _noted(order: list[str], name: str) -> Measured:
    order.append(name)
    return {}
