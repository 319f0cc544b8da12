"""Every call has an id of its own, whichever thread makes it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

from amqp_rpc.correlation_ids import CorrelationIds


def test_no_id_is_given_twice() -> None:
    ids = CorrelationIds()
    together = threading.Barrier(8)

    def take(_: int) -> list[str]:
        together.wait(10)
        return [ids.new() for _ in range(2_000)]

    with ThreadPoolExecutor(8) as pool:
        taken = [each for batch in pool.map(take, range(8)) for each in batch]
    assert len(set(taken)) == 16_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in taken)


def test_two_clients_have_nothing_in_common() -> None:
    assert CorrelationIds().new() != CorrelationIds().new()
