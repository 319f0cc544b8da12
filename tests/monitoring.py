"""The files of deploy/monitoring as data, and the metrics that the two services have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

from api_service import metrics as of_api
from scripts.services import ROOT
from stock_service import metrics as of_stock_service

FOLDER = ROOT / "deploy" / "monitoring"
DEFINED_IN = (of_api, of_stock_service)
_OURS = ("stock_api_", "stock_service_", "rpc_")
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
_NAME = re.compile(r"\b(?:stock_api|stock_service|rpc)_[a-z_]+")
_MATCHERS = re.compile(r"\b((?:stock_api|stock_service|rpc)_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")


def series() -> dict[str, str]:
    """The series that exist, by name; each with the metric that it belongs to."""
    families = [family for family in REGISTRY.collect() if family.name.startswith(_OURS)]
    return {family.name + suffix: family.name for family in families for suffix in _SUFFIXES[family.type]}


def labels(metric: str) -> set[str]:
    """Those that a metric has, and those that Prometheus gives it."""
    collectors: Any = REGISTRY._names_to_collectors
    return {*collectors[metric]._labelnames, "le", "instance", "job"}


def names_in(text: str) -> set[str]:
    return set(_NAME.findall(text))


def matchers_in(text: str) -> Iterator[tuple[str, str]]:
    """Each series that is chosen by a label, with that label."""
    for name, inside in _MATCHERS.findall(text):
        for label in _LABEL.findall(inside):
            yield name, label


def rules() -> dict[str, dict[str, Any]]:
    """The alert rules by name."""
    groups = yaml.safe_load(read("alerts.yml"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard_queries() -> list[str]:
    panels = json.loads(read("dashboard.json"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def read(name: str) -> str:
    return Path(FOLDER / name).read_text(encoding="utf-8")
