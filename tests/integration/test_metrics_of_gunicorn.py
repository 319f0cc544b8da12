"""The metrics of a gunicorn with several workers: one answer for all, through the end of any of them."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from scripts import services
from scripts.ports import free_ports
from tests.integration.api_process import ApiProcess
from tests.scraping import scrape, total
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)  # processes start and end several times; on a busy machine that takes a while

REQUESTS = "stock_api_http_requests_total"
STOCK = {"route": "/api/v1/stock", "method": "GET", "status": "401"}


class Metered(ApiProcess):
    """Two workers that are counted."""

    def __init__(self, directory: Path) -> None:
        (self.metrics_port,) = free_ports(1)
        settings = {"METRICS_PORT": str(self.metrics_port), "WEB_CONCURRENCY": "2", "WEB_THREADS": "4"}
        super().__init__(directory, RATE_LIMIT_ADDRESS="off", **settings)

    def workers(self) -> list[int]:
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return list(map(int, children.split()))

    def ask(self, times: int) -> None:
        for _ in range(times):
            assert self.get("/api/v1/stock?q=aapl.us").status_code == 401

    def count(self) -> float:
        return total(scrape(self.metrics_port), REQUESTS, **STOCK)

    def files(self) -> set[Path]:
        """Those of the metrics that the workers have in memory."""
        maps = [Path(f"/proc/{worker}/maps").read_text(encoding="utf-8") for worker in self.workers()]
        return {Path(name) for text in maps for name in re.findall(r"(/\S*stock-quotes-metrics-\S+)", text)}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Metered]:
    api = Metered(tmp_path)
    with (tmp_path / "api.log").open("wb") as log, api.running(log):
        eventually(lambda: len(api.workers()) == 2)
        yield api


def test_all_workers_are_one_answer_through_kills_and_reloads_and_leave_nothing(api: Metered, tmp_path: Path) -> None:
    assert api.process
    api.ask(20)
    assert api.count() == 20
    for ended, end in ((1, signal.SIGKILL), (2, signal.SIGHUP), (3, signal.SIGKILL)):
        before = api.workers()
        os.kill(api.process.pid if end == signal.SIGHUP else before[0], end)
        eventually(lambda before=before: len(set(api.workers()) - set(before)) > 0 and len(api.workers()) == 2)
        assert api.count() == 20 * ended
        api.ask(20)
        assert api.count() == 20 * (ended + 1)
    # After a reload gunicorn sets up lines of its own, and tells of a killed worker in them.
    assert all("event" in json.loads(line) for line in (tmp_path / "api.log").read_text(encoding="utf-8").splitlines())
    api.ask(200)
    files = api.files()
    assert files
    directory = next(iter(files)).parent
    seats = {name.stem.rpartition("_")[2] for name in directory.iterdir()}
    assert seats <= {"master", "0", "1", "2", "3"}  # two at a time, and twice as many while they were replaced
    assert directory.stat().st_mode & 0o777 == 0o700
    api.process.terminate()
    api.process.wait(services.STOP_SECONDS)
    assert not directory.exists()


def test_made_up_addresses_have_no_series_and_a_taken_port_is_an_error(api: Metered) -> None:
    for method, path in (("GET", "/api/v1/quotes/aapl.us"), ("BREW", "/nobody/knows"), ("BREW", "/api/v1/stock")):
        requests.request(method, api.url(path), timeout=5)
    samples = scrape(api.metrics_port)
    assert total(samples, REQUESTS, route="/api/v1/quotes/<symbol>", method="GET", status="401") == 1
    assert total(samples, REQUESTS, route="", method="other", status="404") == 1
    assert total(samples, REQUESTS, method="other") == 2
    assert total(samples, "stock_api_build_info") == 1
    assert total(samples, "stock_api_http_request_duration_seconds_count", method="other") == 2
    assert not any("aapl" in str(labels) or "knows" in str(labels) for _, labels in samples)
    assert requests.get(f"http://127.0.0.1:{api.metrics_port}/", timeout=5).status_code == 404
    assert requests.get(api.url("/metrics"), timeout=5).status_code == 404
    # And a port that is taken is said at once.
    (port,) = free_ports(1)
    environment = os.environ | api.environment | {"PORT": str(port)}
    ended = subprocess.run(
        services.API, cwd=services.ROOT, env=environment, capture_output=True, timeout=20, check=False
    )
    assert ended.returncode == 1
    assert (
        f"METRICS_PORT {api.metrics_port} on 127.0.0.1 cannot be opened: Address already in use"
        in ended.stderr.decode()
    )
