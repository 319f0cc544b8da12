"""The dashboard, the alert rules and what is written about them name what there is, and all of it."""

import re

import pytest
import yaml

from scripts.services import ROOT
from tests import monitoring

QUERIES = {
    "alerts.yml": "\n".join(rule["expr"] for rule in monitoring.rules().values()),
    "alerts_test.yml": monitoring.read("alerts_test.yml"),
    "dashboard.json": "\n".join(monitoring.dashboard_queries()),
}


@pytest.mark.parametrize("file", QUERIES)
def test_every_metric_and_label_that_is_named_exists(file: str) -> None:
    series = monitoring.series()
    assert monitoring.names_in(QUERIES[file]) - series.keys() == set()
    chosen = list(monitoring.matchers_in(QUERIES[file]))
    assert chosen
    assert [(name, label) for name, label in chosen if label not in monitoring.labels(series[name])] == []


def test_the_dashboard_shows_every_metric() -> None:
    series = monitoring.series()
    shown = {series[name] for name in monitoring.names_in(QUERIES["dashboard.json"])}
    assert shown == set(series.values())


def test_every_alert_has_an_entry_and_a_case() -> None:
    rules = monitoring.rules()
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## (\w+)\n\n\*(\w+), ", page, re.MULTILINE)
    assert entries == [(name, rule["labels"]["severity"]) for name, rule in rules.items()]
    for name, rule in rules.items():
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
    cases = yaml.safe_load(monitoring.read("alerts_test.yml"))["tests"]
    assert [case["name"] for case in cases] == ["all is well", *rules]
    assert {check["alertname"] for check in cases[0]["alert_rule_test"]} == set(rules)


def test_names_are_those_of_the_conventions() -> None:
    """https://prometheus.io/docs/practices/naming/"""
    for name, metric in monitoring.series().items():
        if name.endswith("_bucket"):
            assert metric.endswith(("_duration_seconds", "_wait_seconds", "_requests")), name
