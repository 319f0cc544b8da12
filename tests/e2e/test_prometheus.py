"""The real Prometheus with the example configuration beside the running pair: it finds what the dashboard asks for."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from scripts.ports import free_ports
from tests import monitoring
from tests.e2e.conftest import running_system
from tests.stand_ins import StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)


class Prometheus:
    """Asked over its HTTP API."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def ready(self) -> bool:
        try:
            answer = requests.get(f"{self._api}/rules", timeout=5)
        except requests.ConnectionError:
            return False
        return answer.ok and bool(answer.json()["data"]["groups"])

    def get(self, path: str, **query: str) -> Any:
        answer = requests.get(f"{self._api}/{path}", params=query, timeout=5).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def value(self, expression: str) -> float:
        """The sum of what the expression finds."""
        found = self.get("query", query=expression.replace("$__rate_interval", "10s"))["result"]
        return sum(float(series["value"][1]) for series in found)

    def rule_states(self) -> dict[str, tuple[str, str]]:
        """Health and state of each alert rule."""
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        return {rule["name"]: (rule["health"], rule["state"]) for rule in rules}


@contextmanager
def running(folder: Path, targets: dict[str, int]) -> Iterator[Prometheus]:
    """With the example configuration, but other addresses, and looking every half second."""
    configuration = yaml.safe_load(monitoring.read("prometheus.yml"))
    configuration["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    for job in configuration["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (folder / "alerts.yml").write_text(monitoring.read("alerts.yml"), encoding="utf-8")
    (port,) = free_ports(1)
    options = (f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}")
    with (folder / "prometheus.log").open("wb") as log:
        command = ("prometheus", *options, f"--web.listen-address=127.0.0.1:{port}")
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(port)
        eventually(prometheus.ready, within=20.0)
        yield prometheus
    finally:
        process.kill()
        process.wait()


def test_it_scrapes_both_processes_and_answers_every_query_of_the_dashboard(
    prometheus: None, tmp_path: Path, stooq: StooqStandIn, module_amqp_url: str
) -> None:
    of_api, of_stock = free_ports(2)
    settings = {"METRICS_PORT": str(of_api), "WEB_CONCURRENCY": "2"}
    with (
        running_system("rpc", tmp_path, stooq.url, module_amqp_url, **settings) as system,
        running(tmp_path, {"stock-api": of_api, "stock-service": of_stock}) as there,
    ):
        answers = [system.get(f"/api/v1/stock?q={code}").status_code for code in ("s1.us", "s1.us", "nosuch1.xx")]
        assert answers == [200, 200, 404]
        assert system.login("johndoe", "wrong").status_code == 401
        eventually(lambda: there.value("up") == 2, within=30.0)  # it hands targets to its scraper every five seconds
        for expression, expected in (
            ('stock_api_http_requests_total{route="/api/v1/stock", status="200"}', 2),
            ('rpc_client_call_duration_seconds_count{result="ok"}', 3),
            ("rpc_client_calls_in_flight", 0),
            ("rpc_client_connected", 1),
            ("rpc_server_consuming", 1),
            ("rpc_server_queue_wait_seconds_count", 3),
            ('stock_service_cache_lookups_total{found="quote"}', 1),
            ('stock_service_provider_requests_total{provider="stooq"}', 2),
            ('stock_api_history_save_duration_seconds_count{result="saved"}', 2),
            ("stock_api_logins_total", 2),
        ):
            eventually(lambda wanted=(expression, expected): there.value(wanted[0]) == wanted[1])
        assert 0 <= there.value("rpc_server_queue_wait_seconds_sum") < 3
        for expression in monitoring.dashboard_queries():
            there.value(expression)
        eventually(lambda: set(there.rule_states()) == set(monitoring.rules()))
        eventually(lambda: set(there.rule_states().values()) == {("ok", "inactive")})
