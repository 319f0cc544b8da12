"""A short run of `make chaos` with faults that are always the same."""

import random
from pathlib import Path

import pytest

from scripts.brokers import Broker
from tests.chaos import run
from tests.chaos_faults import World
from tests.fault_system import running_fault_system
from tests.stand_ins import StooqStandIn

SECONDS = 12
SEED = 4


@pytest.mark.timeout(180)
def test_random_faults_lose_double_and_cross_nothing(
    tmp_path: Path, broker: Broker, module_amqp_url: str, stooq: StooqStandIn
) -> None:
    vhost = module_amqp_url.rpartition("/")[2]
    with running_fault_system(tmp_path, stooq.url, module_amqp_url, workers=2) as system:
        report = run(World(system, broker, vhost, stooq, random.Random(SEED)), SECONDS, SEED)
        assert report.violations == [], report.table()
        assert report.survived.total() >= 3
        assert len(report.recorder.rows()) == len(report.recorder.served) > SECONDS
