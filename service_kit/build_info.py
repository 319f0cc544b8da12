"""Which code runs: one metric that is always 1 and says it in its labels."""

import platform

from prometheus_client import Gauge

from service_kit.version import VERSION


def show_build_info(prefix: str) -> None:
    """:param prefix: of the name, the service's own."""
    info = Gauge(
        f"{prefix}_build_info",
        "Always 1; the version of the code and of Python stand in the labels.",
        ["version", "python"],
        multiprocess_mode="max",
    )
    info.labels(VERSION, platform.python_version()).set(1)
