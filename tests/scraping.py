"""Reads what a process of ours answers to Prometheus."""

from collections.abc import Mapping

import requests
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def scrape(port: int) -> dict[Sample, float]:
    """The value of each series, by its name and labels."""
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def total(samples: Mapping[Sample, float], name: str, **labels: str) -> float:
    """The sum of the series of that name that have these labels; 0 when there is none."""
    return sum(
        value for (known, has), value in samples.items() if known == name and labels.items() <= dict(has).items()
    )
